"""Serving."""

import errno
import functools
import gc
import socket

import asyncio_streams as asyncio

from .support import (
    MEBIBYTE,
    check,
    connect,
    departs,
    echo,
    fails,
    free_port,
    peer,
    serve,
    until,
    waiting,
)


@check
async def a_server_is_an_abstract_server():
    async with await serve(print) as server:
        assert isinstance(server, asyncio.AbstractServer)


@check
async def ss1_each_connection_has_its_own_pair_and_one_call():
    calls = []

    async def counts(reader, writer):
        calls.append(reader)
        await echo(reader, writer)

    async def client(n):
        reader, writer = await connect(server)
        data = bytes([n]) * 100_000
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        writer.close()
        await writer.wait_closed()

    async with await serve(counts) as server:
        await asyncio.gather(*(client(n) for n in range(50)))
    assert len(calls) == len(set(map(id, calls))) == 50


@check
async def ss2_plain_callbacks_and_all_that_return_coroutines_are_called():
    async def coroutine(reader, writer):
        plain(reader, writer)

    def plain(reader, writer):
        writer.write(b"called")
        writer.close()

    class Callable:
        async def __call__(self, reader, writer):
            plain(reader, writer)

    class Method:
        async def method(self, reader, writer):
            plain(reader, writer)

    callbacks = (
        plain,
        coroutine,
        lambda *pair: coroutine(*pair),
        Callable(),
        Method().method,
        functools.partial(coroutine),
    )
    for callback in callbacks:
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            assert await reader.read() == b"called"
            writer.close()


@departs("D7, 3.11.7")
@check
async def ss3_ss4_a_callback_that_fails_is_reported_and_its_connection_closed():
    def plain(reader, writer):
        raise ValueError("plain callback")

    async def coroutine(reader, writer):
        await reader.readline()
        raise ValueError("coroutine callback")

    loop = asyncio.get_running_loop()
    for callback in (plain, coroutine):
        reported = []
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            writer.write(b"go\n")
            assert await reader.read() == b""
        loop.set_exception_handler(None)
        (context,) = reported
        assert context["message"] == "Unhandled exception in client_connected_cb"
        assert isinstance(context["exception"], ValueError)
        peername = context["transport"].get_extra_info("peername")
        assert peername == writer.get_extra_info("sockname")
        # Without a handler it goes to standard error.
        async with await serve(callback) as server:
            reader, writer = await connect(server)
            writer.write(b"go\n")
            assert await reader.read() == b""


@departs("D7, 3.13")
@check
async def ss5_a_callback_that_returns_closes_what_nobody_holds():
    held = []

    async def leaves(reader, writer):
        writer.write(b"bye")
        await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))

    def hands_over(reader, writer):
        held.append(writer)

    async with await serve(leaves) as server:
        reader, writer = await connect(server)
        assert await asyncio.wait_for(reader.read(), 60) == b"bye"
    async with await serve(hands_over) as server:
        reader, writer = await connect(server)
        await until(lambda: held)
        held.pop().write(b"written after the callback had returned")
        assert await reader.read() == b"written after the callback had returned"


@check
async def l11_a_running_callback_is_not_forgotten():
    async def line(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async with await serve(line) as server:
        reader, writer = await connect(server)
        await asyncio.sleep(0.02)
        gc.collect()
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()


@departs("3.12")
@check
async def l22_a_callback_that_is_cancelled_closes_its_connection():
    tasks = []

    async def waits(reader, writer):
        tasks.append(asyncio.current_task())
        await reader.readline()

    async with await serve(waits) as server:
        reader, writer = await connect(server)
        await until(lambda: tasks)
        tasks[0].cancel()
        assert await asyncio.wait_for(reader.read(), 60) == b""


@departs("3.11.5")
@check
async def l19_a_connection_that_nobody_holds_is_closed_after_sending():
    accepted = asyncio.Queue()

    async def writes():
        _, writer = await connect(server)
        writer.write(bytes(4 * MEBIBYTE))

    async with await serve(lambda *pair: accepted.put_nowait(pair)) as server:
        writing = asyncio.create_task(writes())
        reader, _ = await accepted.get()
        await writing
        gc.collect()
        assert len(await reader.read()) == 4 * MEBIBYTE


@departs("D9")
@check
async def ss6_no_host_is_all_interfaces_on_one_port():
    for host in (None, "", [""]):
        async with await serve(lambda reader, writer: writer.close(), host) as server:
            names = [sock.getsockname() for sock in server.sockets]
            assert {name[0] for name in names} == {"0.0.0.0", "::"}, names
            (port,) = {name[1] for name in names}
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()


@check
async def ss7_each_host_of_a_list_is_bound_once():
    async with await serve(print, ["127.0.0.1", "127.0.0.1", "127.0.0.2"]) as server:
        hosts = [sock.getsockname()[0] for sock in server.sockets]
        assert sorted(hosts) == ["127.0.0.1", "127.0.0.2"]


@departs("D9, D15")
@check
async def ss7_the_hosts_share_the_port_and_an_empty_list_is_a_value_error():
    async with await serve(print, ("127.0.0.1", "127.0.0.2")) as server:
        assert len({sock.getsockname()[1] for sock in server.sockets}) == 1
    await fails(ValueError, serve, print, [])


@check
async def ss8_neither_an_address_nor_a_socket_is_a_value_error():
    await fails(ValueError, asyncio.start_server, print)
    await fails(ValueError, asyncio.start_server, print, "127.0.0.1", 0, sock=object())
    await fails(TypeError, serve, print, colour="red")


@check
async def ss9_a_bind_that_fails_leaves_nothing_open():
    port = free_port()
    async with await serve(print, "127.0.0.2", port):
        error = await fails(OSError, serve, print, ["127.0.0.1", "127.0.0.2"], port)
        assert error.errno == errno.EADDRINUSE and f"('127.0.0.2', {port})" in str(error)
        async with await serve(print, "127.0.0.1", port):
            pass


@check
async def ss10_ports_may_be_text_and_not_out_of_range():
    async with await serve(print, port="0") as server:
        assert server.sockets[0].getsockname()[1] > 0
    for port in (70000, -1):
        await fails(OverflowError, serve, print, port=port)


@check
async def ss11_an_address_may_be_used_again_at_once():
    port = free_port()
    for options in ({}, {"reuse_address": True}):
        async with await serve(echo, port=port, **options) as server:
            reader, writer = await connect(server)
            writer.write_eof()
            assert await reader.read() == b""
        async with await serve(echo, port=port, **options):
            writer.close()


@check
async def ss11_without_reuse_an_address_that_old_connections_hold_is_taken():
    port = free_port()
    async with await serve(lambda reader, writer: writer.close(), port=port) as server:
        reader, writer = await connect(server)
        assert await reader.read() == b""
    error = await fails(OSError, serve, print, port=port, reuse_address=False)
    assert error.errno == errno.EADDRINUSE
    async with await serve(print, port=port):
        writer.close()


@check
async def ss12_a_port_is_shared_where_both_servers_ask_for_it():
    async with await serve(print, reuse_port=True) as server:
        _, port = server.sockets[0].getsockname()
        async with await serve(print, port=port, reuse_port=True):
            pass
        error = await fails(OSError, serve, print, port=port)
        assert error.errno == errno.EADDRINUSE


@check
async def ss13_a_server_may_be_bound_and_not_serve_yet():
    server = await serve(lambda reader, writer: writer.close(), start_serving=False)
    assert not server.is_serving()
    await fails(ConnectionRefusedError, connect(server))
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    reader, writer = await connect(server)
    assert await reader.read() == b""
    writer.close()
    server.close()
    assert not server.is_serving()


@departs("D15")
@check
async def ss15_a_want_of_descriptors_is_reported_once_and_passes():
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    held = []
    async with await serve(lambda *pair: held.append(pair), backlog=1000) as server:
        _, port = server.sockets[0].getsockname()
        _, flood = await peer(b"flood %d" % port)
        await until(lambda: reported)
        await asyncio.sleep(1.5)
        (context,) = reported
        assert context["message"] == "socket.accept() out of system resource"
        assert isinstance(context["exception"], OSError)
        for _, writer in held:
            writer.transport.abort()
        flood.close()
        had = len(held)
        await until(lambda: len(held) > had)
        server.close()
        server.abort_clients()
    loop.set_exception_handler(None)


@departs("3.13")
@check
async def l34_idle_connections_may_be_probed():
    async with await serve(lambda reader, writer: writer.close(), keep_alive=True) as server:
        reader, writer = await connect(server)
        assert await reader.read() == b""
        writer.close()


@check
async def sv1_the_sockets_of_a_server_are_a_tuple_of_stand_ins_empty_once_closed():
    server = await serve(print)
    (stand_in,) = server.sockets
    assert isinstance(server.sockets, tuple)
    assert stand_in.getsockname()[0] == "127.0.0.1"
    assert (stand_in.family, stand_in.type) == (socket.AF_INET, socket.SOCK_STREAM)
    await fails(OSError, stand_in.getpeername)
    assert server.get_loop() is asyncio.get_running_loop()
    assert server.is_serving()
    server.close()
    server.close()
    assert server.sockets == () and not server.is_serving()


@departs("D15")
@check
async def sv3_a_server_that_is_closed_cannot_serve_again():
    server = await serve(print)
    server.close()
    await server.wait_closed()
    await fails(RuntimeError, server.start_serving())
    assert not server.is_serving()


@check
async def sv4_a_server_that_nobody_holds_goes_on_serving():
    address = (await serve(echo)).sockets[0].getsockname()
    gc.collect()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    writer.close()


@check
async def sv4_close_ends_listening_and_no_connection():
    server = await serve(echo, port=free_port())
    address = server.sockets[0].getsockname()
    reader, writer = await connect(server)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    server.close()

    async def connects():
        while True:
            _, writer = await asyncio.open_connection(*address)
            writer.close()

    # CPython closes the listener at once, this module in the next turn.
    await fails(ConnectionRefusedError, connects)
    writer.write(b"after")
    assert await reader.readexactly(5) == b"after"
    writer.close()


@departs("D5, 3.13")
@check
async def sv5_wait_closed_waits_for_the_connections_which_can_be_ended():
    for end in ("close_clients", "abort_clients"):
        held = []
        server = await serve(lambda *pair: held.append(pair))
        reader, writer = await connect(server)
        await until(lambda: held)
        server.close()
        closed = await waiting(server.wait_closed())
        given_up = await waiting(server.wait_closed())
        given_up.cancel()
        getattr(server, end)()
        await closed
        await server.wait_closed()
        assert await reader.read() == b""


@check
async def sv6_serve_forever_ends_by_a_cancellation_or_the_close():
    server = await serve(echo, start_serving=False)
    forever = await waiting(server.serve_forever())
    assert server.is_serving()
    await fails(RuntimeError, server.serve_forever())
    forever.cancel()
    await fails(asyncio.CancelledError, forever)
    assert server.sockets == ()
    server = await serve(echo)
    forever = await waiting(server.serve_forever())
    server.close()
    await fails(asyncio.CancelledError, forever)
    await fails(RuntimeError, server.serve_forever())


@departs("D5, 3.15")
@check
async def sv6_cancelling_serve_forever_closes_the_connections():
    server = await serve(echo)
    forever = await waiting(server.serve_forever())
    reader, writer = await connect(server)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    forever.cancel()
    await fails(asyncio.CancelledError, forever)
    assert await reader.read() == b""


@departs("D5")
@check
async def sv7_leaving_the_scope_closes_the_server_and_its_connections():
    async with await serve(echo) as server:
        reader, writer = await connect(server)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
    assert server.sockets == ()
    assert await reader.read() == b""


@departs("D15")
@check
async def sv9_connections_that_come_with_the_close_are_closed_quietly():
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    for _ in range(20):
        server = await serve(echo)
        reader, writer = await connect(server)
        server.close()
        writer.write_eof()
        try:
            assert await asyncio.wait_for(reader.read(), 60) == b""
        except ConnectionResetError:
            pass
        await asyncio.wait_for(server.wait_closed(), 60)
    loop.set_exception_handler(None)
    assert not reported, reported


@departs("ours")
@check
async def the_time_of_a_servers_connections_has_limits():
    lost = []

    async def reads(reader, writer):
        try:
            await reader.read()
        except TimeoutError as error:
            lost.append(error)

    for limit in ("idle_timeout", "connection_timeout"):
        lost.clear()
        async with await serve(reads, **{limit: 0.2}) as server:
            reader, writer = await connect(server)
            assert await reader.read() == b""
            await until(lambda: lost)
            assert lost[0].errno == errno.ETIMEDOUT
            writer.close()
        await fails(ValueError, serve, reads, **{limit: 0})
        await fails(ValueError, serve, reads, **{limit: -1})

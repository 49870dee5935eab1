"""Connecting."""

import errno
import functools
import socket

import asyncio_streams as asyncio

from .support import Pair, check, connect, departs, fails, free_port, ports, serve, until


@check
async def oc1_a_limit_below_one_is_a_value_error_before_connecting():
    for limit in (0, -1):
        await fails(ValueError, asyncio.open_connection, "127.0.0.1", 1, limit=limit)


@departs("D13")
@check
async def k1_no_limit_given_is_64_kib():
    for options in ({}, {"limit": None}):
        async with Pair(**options) as pair:
            await pair.send(bytes(2**16) + b"\n")
            assert len(await pair.reader.readline()) == 2**16 + 1
            await pair.send(bytes(2**16 + 1))
            await fails(asyncio.LimitOverrunError, pair.reader.readline())


@check
async def oc2_oc3_an_address_or_a_socket_and_not_both():
    await fails(ValueError, asyncio.open_connection)
    await fails(ValueError, asyncio.open_connection, "127.0.0.1", 1, sock=object())
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1, colour="red")
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1, 2)


@check
async def oc5_no_host_is_this_machine():
    # Its addresses are tried in turn: IPv6 first, where no process listens.
    port = free_port()
    server = await serve(lambda reader, writer: writer.close(), port=port)
    for options in ({}, {"happy_eyeballs_delay": 0.25}, {"interleave": 1}):
        reader, writer = await asyncio.open_connection(None, port, **options)
        assert writer.get_extra_info("peername") == ("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
    server.close()


@check
async def oc6_hosts_may_be_bytes_and_ports_text():
    async with await serve(lambda reader, writer: writer.close()) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            host.encode(),
            str(port),
            family=socket.AF_INET,
            proto=6,
            flags=socket.AI_NUMERICHOST,
        )
        assert writer.get_extra_info("peername") == (host, port)
        writer.close()
    for port in (65536, -1):
        await fails(OverflowError, asyncio.open_connection, "127.0.0.1", port)


@check
async def oc8_one_failure_keeps_its_number_and_names_the_address():
    server = await serve(print, start_serving=False)
    address = server.sockets[0].getsockname()
    error = await fails(ConnectionRefusedError, connect(server))
    assert error.errno == errno.ECONNREFUSED and str(address) in str(error), error
    server.close()


@departs("D14")
@check
async def oc8_several_failures_are_in_the_error_one_by_one_in_order():
    server = await serve(print, start_serving=False)
    _, port = server.sockets[0].getsockname()
    # IPv6 is not allowed.
    error = await fails(OSError, asyncio.open_connection, None, port)
    first, second = error.exceptions
    assert type(first) is PermissionError and f"('::1', {port}" in str(first)
    assert type(second) is ConnectionRefusedError and f"('127.0.0.1', {port})" in str(second)
    assert error.errno is None and str(first) in str(error)
    group = await fails(
        ExceptionGroup, asyncio.open_connection, None, port, all_errors=True
    )
    assert [type(error) for error in group.exceptions] == [type(first), type(second)]
    error = await fails(PermissionError, asyncio.open_connection, "192.0.2.1", 80)
    assert error.errno == errno.EACCES and len(error.exceptions) == 1
    server.close()


@check
async def oc9_a_name_that_does_not_resolve_is_a_gaierror():
    error = await fails(socket.gaierror, asyncio.open_connection, "name.invalid", 80)
    assert isinstance(error, OSError)
    # An empty setting does not mean this machine.
    await fails(socket.gaierror, asyncio.open_connection, "", 80)


@departs("ours")
@check
async def oc9_the_name_is_in_the_error_and_may_be_denied():
    error = await fails(socket.gaierror, asyncio.open_connection, "name.invalid", 80)
    assert "name.invalid" in str(error)
    error = await fails(PermissionError, asyncio.open_connection, "denied.invalid", 80)
    assert "denied.invalid" in str(error)


@check
async def oc10_a_local_address_is_bound_before_connecting():
    async with await serve(lambda reader, writer: writer.close()) as server:
        _, writer = await connect(server, local_addr=("127.0.0.2", 0))
        assert writer.get_extra_info("sockname")[0] == "127.0.0.2"
        writer.close()


@check
async def oc12_a_family_that_the_literal_is_not_of_is_a_gaierror():
    wrong = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    error = await fails(socket.gaierror, wrong, family=socket.AF_INET6)
    assert error.errno == getattr(socket, "EAI_ADDRFAMILY", -9)


@check
async def oc11_a_local_address_of_another_family_is_an_os_error():
    wrong = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    await fails(OSError, wrong, local_addr=("::1", 0))


@check
async def oc17_a_connect_that_is_cancelled_leaves_nothing_open():
    ended = asyncio.Event()

    async def serves(reader, writer):
        assert await reader.read() == b""
        ended.set()

    server = await serve(serves)
    connecting = asyncio.create_task(connect(server))
    await asyncio.sleep(0)
    connecting.cancel()
    await fails(asyncio.CancelledError, connecting)
    await asyncio.wait_for(ended.wait(), 60)
    server.close()


@departs("ours")
@check
async def oc17_an_attempt_that_is_given_up_ends_at_once():
    _, full = ports()
    before = len(asyncio._loop._calls)
    for _ in range(100):
        connecting = asyncio.open_connection("127.0.0.1", full)
        await fails(TimeoutError, asyncio.wait_for(connecting, 0.001))
    await until(lambda: len(asyncio._loop._calls) <= before)


@check
async def names_and_addresses_are_looked_up():
    look_up = functools.partial(
        asyncio.get_running_loop().getaddrinfo, type=socket.SOCK_STREAM
    )
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    assert await look_up("127.0.0.1", 80) == [tcp]
    assert await look_up(b"127.0.0.1", "80", proto=6) == [tcp]
    assert await look_up("localhost", "http", family=socket.AF_INET) == [tcp]
    (found,) = await look_up("::1", None)
    assert found == (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
    everywhere = await look_up(None, 80, family=socket.AF_INET, flags=1)  # AI_PASSIVE
    assert [entry[4] for entry in everywhere] == [("0.0.0.0", 80)]
    await fails(socket.gaierror, look_up, None, None)
    await fails(socket.gaierror, look_up, "", 80)
    await fails(socket.gaierror, look_up, "localhost", 80, flags=4)  # AI_NUMERICHOST
    await fails(socket.gaierror, look_up, "127.0.0.1", 80, family=socket.AF_INET6)
    await fails(socket.gaierror, look_up, "127.0.0.1", "no-such-service")


@departs("ours")
@check
async def a_look_up_and_a_server_that_are_given_up_end_at_once():
    before = len(asyncio._loop._calls)
    for waiting in (
        asyncio.get_running_loop().getaddrinfo("name.invalid", 80),
        asyncio.start_server(lambda *_: None, "name.invalid", 80),
    ):
        task = asyncio.create_task(waiting)
        await asyncio.sleep(0)
        # The resolver may have refused the name already.
        task.cancel()
        await fails((asyncio.CancelledError, socket.gaierror), task)
        await until(lambda: len(asyncio._loop._calls) <= before)


@departs("ours")
@check
async def a_connect_may_have_a_timeout():
    _, full = ports()
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", full)
    error = await fails(TimeoutError, connecting, timeout=0.05)
    assert error.errno == errno.ETIMEDOUT
    await fails(ValueError, connecting, timeout=-1)
    await fails(ValueError, connecting, happy_eyeballs_delay=-1)
    async with await serve(lambda reader, writer: writer.close()) as server:
        _, writer = await connect(server, timeout=1e9)
        writer.close()


@departs("ours")
@check
async def wrong_arguments_are_errors_before_anything_is_opened():
    await fails(ValueError, serve, print, limit=0)
    await fails(TypeError, serve, None)
    await fails(PermissionError, serve, print, "192.0.2.1")
    connecting = functools.partial(asyncio.open_connection, "127.0.0.1", 1)
    await fails(ValueError, connecting, family=99)
    await fails(ValueError, connecting, flags=1 << 20)
    await fails(TypeError, connecting, limit="64")
    await fails(TypeError, asyncio.open_connection, "127.0.0.1", 1.5)
    await fails(TypeError, asyncio.open_connection, 127, 1)
    for address in (("\ud800", 1), ("127.0.0.1", "\ud800"), (b"\xff", 1)):
        await fails((UnicodeEncodeError, UnicodeDecodeError), asyncio.open_connection, *address)
    await fails(socket.gaierror, asyncio.open_connection, "127.0.0.1", "no-such-service")

"""Writing."""

import errno
import socket

import asyncio_streams as asyncio

from .support import (
    MEBIBYTE,
    Pair,
    UnixPair,
    check,
    connect,
    departs,
    fails,
    peer,
    serve,
    waiting,
)


@check
async def wr1_write_takes_bytes_and_the_like_and_nothing_else():
    async with Pair() as pair:
        data = bytearray(b"bytearray ")
        assert pair.writer.write(b"bytes ") is None
        pair.writer.write(data)
        data[:] = b"something!"
        pair.writer.write(memoryview(b"a memoryview")[2:])
        pair.writer.write(b"")
        for wrong in ("text", 7, None, [1]):
            assert "bytes" in str(await fails(TypeError, pair.writer.write, wrong))
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b"bytes bytearray memoryview"


@check
async def wr2_write_after_write_eof_is_a_runtime_error_even_of_nothing():
    async with Pair() as pair:
        pair.writer.write_eof()
        for data in (b"more", b""):
            await fails(RuntimeError, pair.writer.write, data)


@departs("D3")
@check
async def wr3_write_after_close_is_a_runtime_error():
    async with Pair() as pair:
        pair.writer.write(bytes(4 * MEBIBYTE))
        pair.writer.close()
        await fails(RuntimeError, pair.writer.write, b"more")
        await fails(RuntimeError, pair.writer.writelines, [b"more"])
        assert len(await pair.peer_reader.read()) == 4 * MEBIBYTE


@check
async def wr5_writelines_takes_any_iterable_all_of_it_or_none():
    async with Pair() as pair:
        pair.writer.writelines([b"list ", b"", bytearray(b"of "), memoryview(b"pieces ")])
        pair.writer.writelines(piece for piece in (b"gen", b"erator"))
        pair.writer.writelines(())
        for wrong in (b"bytes", "text", [b"a", "b"], 7):
            await fails(TypeError, pair.writer.writelines, wrong)
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b"list of pieces generator"


@check
async def wr7_drain_waits_above_the_high_mark_until_the_low_one():
    async with Pair() as pair:
        transport = pair.writer.transport
        await asyncio.wait_for(pair.writer.drain(), 60)
        transport.set_write_buffer_limits(high=1000)
        pair.writer.write(bytes(16 * MEBIBYTE))
        assert transport.get_write_buffer_size() > 1000
        draining = [await waiting(pair.writer.drain()) for _ in range(3)]
        assert len(await pair.peer_reader.readexactly(16 * MEBIBYTE)) == 16 * MEBIBYTE
        await asyncio.gather(*draining)
        assert transport.get_write_buffer_size() <= 250


@check
async def wr9_drain_after_the_close_is_a_connection_reset_error():
    for kind in (Pair, UnixPair):
        async with kind() as pair:
            pair.writer.close()
            error = await fails(ConnectionResetError, pair.writer.drain())
            assert str(error) == "Connection lost"
            assert pair.reader.at_eof()
            await pair.writer.wait_closed()
            await fails(ConnectionResetError, pair.writer.drain())


@departs("3.13")
@check
async def wr9_so_it_is_after_the_server_has_closed_its_connections():
    for close in (asyncio.Server.close_clients, asyncio.Server.abort_clients):
        accepted = asyncio.Queue()
        server = await serve(lambda *pair: accepted.put_nowait(pair))
        _, writer = await connect(server)
        _, served = await accepted.get()
        close(server)
        await fails(ConnectionResetError, served.drain())
        writer.close()
        server.close()


@departs("D8")
@check
async def wr10_a_drain_that_abort_cut_short_is_an_error():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * MEBIBYTE))
        draining, given_up = [await waiting(pair.writer.drain()) for _ in range(2)]
        given_up.cancel()
        pair.writer.transport.abort()
        error = await fails(ConnectionAbortedError, draining)
        assert error.errno == errno.ECONNABORTED


@check
async def wr11_a_reset_ends_a_waiting_drain():
    _, writer = await peer(b"stall")
    writer.write(bytes(16 * MEBIBYTE))
    await fails((ConnectionResetError, BrokenPipeError), writer.drain())


@departs("D11")
@check
async def wr12_a_loop_of_writes_and_drains_lets_others_run():
    async with Pair() as pair:
        others = []
        asyncio.get_running_loop().call_soon(others.append, True)
        while not others:
            pair.writer.write(b"x")
            await pair.writer.drain()


@check
async def wr14_write_eof_ends_one_direction_and_may_be_called_again():
    async with Pair() as pair:
        assert pair.writer.can_write_eof() is True
        pair.writer.write(b"question")
        pair.writer.write_eof()
        pair.writer.write_eof()
        assert not pair.writer.is_closing()
        assert await pair.peer_reader.read() == b"question"
        pair.peer_writer.write(b"answer")
        pair.peer_writer.close()
        pair.peer_writer.write_eof()
        assert await pair.reader.read() == b"answer"


@check
async def wr15_close_sends_what_was_written_and_may_be_called_again():
    async with Pair() as pair:
        pair.writer.write(bytes(4 * MEBIBYTE))
        assert pair.writer.close() is None
        pair.writer.close()
        assert len(await pair.peer_reader.read()) == 4 * MEBIBYTE
        await pair.writer.wait_closed()


@check
async def wr16_a_writer_is_closing_after_close_and_not_after_the_peers_end():
    async with Pair() as pair:
        await pair.end()
        assert await pair.reader.read() == b""
        assert not pair.writer.is_closing()
        pair.writer.close()
        assert pair.writer.is_closing()
    assert pair.peer_writer.is_closing(), "aborted"


@check
async def wr17_wait_closed_waits_and_raises_the_connections_error_every_time():
    async with Pair() as pair:
        closed = await waiting(pair.writer.wait_closed())
        pair.writer.close()
        assert await closed is None
        assert await pair.writer.wait_closed() is None
    reader, writer = await peer(b"reset")
    await fails(ConnectionResetError, writer.wait_closed())
    await fails(ConnectionResetError, writer.wait_closed())


@departs("D4")
@check
async def wr18_a_wait_for_the_close_that_is_given_up_harms_nobody():
    async with Pair() as pair:
        other = await waiting(pair.writer.wait_closed())
        for _ in range(5):
            await fails(TimeoutError, asyncio.wait_for(pair.writer.wait_closed(), 0.01))
        pair.writer.close()
        await other
        await pair.writer.wait_closed()


@check
async def wr19_a_peer_that_does_not_read_delays_the_close_until_abort():
    async with Pair() as pair:
        pair.writer.write(bytes(16 * MEBIBYTE))
        pair.writer.close()
        closed = await waiting(pair.writer.wait_closed())
        pair.writer.transport.abort()
        await closed


@check
async def wr20_the_names_of_both_ends_are_known_also_after_close():
    async with Pair() as pair:
        names = [pair.writer.get_extra_info(name) for name in ("peername", "sockname")]
        assert [host for host, _ in names] == ["127.0.0.1"] * 2
        peers = [pair.peer_writer.get_extra_info(name) for name in ("sockname", "peername")]
        assert names == peers
        assert pair.writer.transport.get_extra_info("peername") == names[0]
        assert pair.writer.get_extra_info("cipher") is None
        for name in ("no such name", "\ud800", 5):
            assert pair.writer.get_extra_info(name, "default") == "default"
        pair.writer.close()
        await pair.writer.wait_closed()
        assert pair.writer.get_extra_info("peername") == names[0]


@check
async def l5_the_socket_among_the_details_stands_for_the_real_one():
    async with Pair() as pair:
        stand_in = pair.writer.get_extra_info("socket")
        assert stand_in.getsockname() == pair.writer.get_extra_info("sockname")
        assert stand_in.getpeername() == pair.writer.get_extra_info("peername")
        kind = stand_in.family, stand_in.type, stand_in.proto
        assert kind == (socket.AF_INET, socket.SOCK_STREAM, 6), kind
        assert "127.0.0.1" in repr(stand_in)
        assert pair.writer.get_extra_info("socket") is stand_in


@departs("ours")
@check
async def wr20_the_options_of_the_socket_are_set_and_read():
    async with Pair() as pair:
        stand_in = pair.writer.get_extra_info("socket")
        tcp = getattr(socket, "IPPROTO_TCP", 6)
        for level, name, number, value in (
            (tcp, "TCP_NODELAY", 1, 1),
            (socket.SOL_SOCKET, "SO_KEEPALIVE", 9, 1),
            (tcp, "TCP_KEEPIDLE", 4, 70),
            (tcp, "TCP_KEEPINTVL", 5, 7),
            (tcp, "TCP_KEEPCNT", 6, 3),
            (socket.SOL_SOCKET, "SO_SNDBUF", 7, 50_000),
            (socket.SOL_SOCKET, "SO_RCVBUF", 8, 50_000),
        ):
            option = getattr(socket, name, number)
            stand_in.setsockopt(level, option, value)
            assert stand_in.getsockopt(level, option) == value, name
            assert len(stand_in.getsockopt(level, option, 4)) == 4
        assert stand_in.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        for call in (stand_in.getsockopt, stand_in.setsockopt):
            value = (1,) if call == stand_in.setsockopt else ()
            await fails(OSError, call, socket.SOL_SOCKET, 12345, *value)
        await fails(OSError, stand_in.setsockopt, tcp, getattr(socket, "TCP_KEEPCNT", 6), 0)


@check
async def wr21_the_transport_is_one_object_with_the_writers_methods():
    async with Pair() as pair:
        transport = pair.writer.transport
        assert transport is pair.writer.transport
        assert isinstance(transport, asyncio.Transport)
        assert transport.can_write_eof() and not transport.is_closing()
        transport.write(b"one ")
        transport.writelines([b"two ", b"three"])
        transport.write_eof()
        assert await pair.peer_reader.read() == b"one two three"
        transport.close()
        assert pair.writer.is_closing()


@check
async def wr22_writing_to_a_closed_peer_becomes_an_error():
    reader, writer = await peer(b"close")
    assert await reader.read() == b""

    async def write():
        while True:
            writer.write(b"into the void")
            await writer.drain()
            await asyncio.sleep(0.001)

    await fails((BrokenPipeError, ConnectionResetError), write)


@check
async def rd26_wr23_reader_writer_and_transport_have_a_repr():
    async with Pair() as pair:
        await pair.send(b"abc")
        assert repr(pair.reader).startswith("<StreamReader 3 bytes")
        assert repr(pair.writer).startswith("<StreamWriter transport=<")

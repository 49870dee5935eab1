"""Sockets that exist before their streams."""

import errno
import types

import asyncio_streams as asyncio
from asyncio_streams import socket

from .support import MEBIBYTE, at, check, connect, departs, echo, fails


@check
async def e5_streams_on_one_end_of_a_pair_talk_to_the_other():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    theirs.send(b"before, ")
    reader, writer = await asyncio.open_connection(sock=ours)
    asyncio.get_running_loop().call_soon(theirs.send, b"and after")
    assert await reader.readexactly(17) == b"before, and after"
    assert writer.get_extra_info("peername") == writer.get_extra_info("sockname") == ""
    writer.write(b"answer")
    writer.close()
    await writer.wait_closed()
    assert theirs.recv(100) == b"answer"
    assert theirs.recv(100) == b""
    theirs.close()


@check
async def e5_both_ends_of_a_pair_may_be_streams():
    one, other = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=one, limit=MEBIBYTE)
    other_reader, other_writer = await asyncio.open_unix_connection(sock=other)
    data = bytes(range(256)) * 4096
    writer.write(data)
    writer.write_eof()
    assert await other_reader.read() == data
    other_writer.write(b"answer")
    other_writer.close()
    assert await reader.read() == b"answer"
    writer.close()


@check
async def e5_a_socket_of_a_pair_does_not_wait():
    one, other = socket.socketpair()
    with one, other:
        assert one.family == other.family == socket.AF_UNIX
        assert one.type == socket.SOCK_STREAM
        assert one.getsockname() == one.getpeername() == ""
        for end in (one, other):
            end.setblocking(False)
            assert end.gettimeout() == 0 and not end.getblocking()
        await fails(BlockingIOError, one.recv, 1)
        assert other.send(b"abc") == 3
        assert one.recv(2) == b"ab"
        assert other.send(b"") == 0 and one.recv(0) == b""
        other.sendall(memoryview(b"def"))
        assert one.recv(100) == b"cdef"
        await fails(ValueError, one.recv, -1)
        await fails(TypeError, one.send, "text")
        # Sends as much as there is room for.
        sent, some = 0, bytes(MEBIBYTE)
        error = None
        while error is None:
            try:
                sent += one.send(some)
            except BlockingIOError as blocked:
                error = blocked
        assert error.errno == errno.EAGAIN and sent > 0
        await fails(BlockingIOError, one.sendall, some)
        one.close()
        received = 0
        while data := other.recv(MEBIBYTE):
            received += len(data)
        assert received >= sent
        await fails(BrokenPipeError, other.send, b"too late")
    for end in (one, other):
        assert end.fileno() == -1
        error = await fails(OSError, end.send, b"closed")
        assert error.errno == errno.EBADF
        await fails(OSError, end.getsockname)
        end.close()


@departs("ours")
@check
async def a_socket_given_away_is_closed_for_its_owner():
    one, other = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=one)
    for use in (lambda: one.send(b"x"), lambda: one.recv(1), one.getpeername):
        assert (await fails(OSError, use)).errno == errno.EBADF
    await fails(OSError, asyncio.open_connection, sock=one)
    one.close()
    other.send(b"still open")
    assert await reader.readexactly(10) == b"still open"
    other.close()
    assert await reader.read() == b""
    writer.close()


@check
async def oc4_a_socket_has_to_be_one_of_streams():
    datagrams = types.SimpleNamespace(family=socket.AF_INET, type=socket.SOCK_DGRAM)
    for opening in (
        asyncio.open_connection(sock=datagrams),
        asyncio.start_server(print, sock=datagrams),
    ):
        error = await fails(ValueError, opening)
        assert str(error) == f"A Stream Socket was expected, got {datagrams!r}"
    one, other = socket.socketpair()
    with one, other:
        for opening in (
            asyncio.open_connection("127.0.0.1", 1, sock=one),
            asyncio.start_server(print, "127.0.0.1", 1, sock=one),
        ):
            error = await fails(ValueError, opening)
            text = "host/port and sock can not be specified at the same time"
            assert str(error) == text
        error = await fails(ValueError, asyncio.open_connection, sock=one, ssl=True)
        assert str(error) == "You must set server_hostname when using ssl without a host"
        # The streams have not taken the socket.
        assert other.send(b"a") == len(one.recv(1))


@departs("ours")
@check
async def oc4_wrong_sockets_and_options_are_refused():
    one, other = socket.socketpair()
    await fails(ValueError, asyncio.start_server, print, sock=one)
    await fails(ValueError, asyncio.open_connection, sock=other, family=socket.AF_INET)
    foreign = types.SimpleNamespace(family=socket.AF_UNIX, type=socket.SOCK_STREAM)
    await fails(NotImplementedError, asyncio.open_connection, sock=foreign)
    await fails(NotImplementedError, asyncio.start_unix_server, print, sock=foreign)
    one, other = socket.socketpair(socket.AF_UNIX)
    await fails(NotImplementedError, one.setblocking, True)
    await fails(OSError, one.recv, 1, 2)
    await fails(OSError, socket.socketpair, socket.AF_INET)
    await fails(OSError, socket.socketpair, None, socket.SOCK_DGRAM)


@departs("ours")
@check
async def ss17_listeners_of_the_host_need_no_rule():
    assert socket.listeners() == ["web", "local", "spare"]
    spare = socket.listener("spare")
    assert socket.listeners() == ["web", "local"]
    assert spare.family == socket.AF_INET and spare.getsockname()[0] == "127.0.0.1"
    await fails(OSError, spare.send, b"to nobody")
    await fails(OSError, spare.getpeername)
    error = await fails(ValueError, asyncio.start_unix_server, echo, sock=spare)
    assert "A UNIX Domain Stream Socket was expected" in str(error)
    error = await fails(OSError, socket.listener, "spare")
    assert error.errno == errno.EADDRINUSE and "'spare'" in str(error)
    error = await fails(PermissionError, socket.listener, "none")
    assert "'none'" in str(error)
    await fails(TypeError, socket.listener, 3)
    await fails(ValueError, asyncio.open_connection, sock=spare)
    async with await asyncio.start_server(echo, sock=socket.listener("web")) as server:
        await sends_back(*await connect(server))
    server = await asyncio.start_unix_server(echo, sock=socket.listener("local"))
    assert server.sockets[0].getsockname() == at("local")
    async with server:
        await sends_back(*await asyncio.open_unix_connection(at("local")))


async def sends_back(reader, writer):
    writer.write(b"data")
    assert await reader.readexactly(4) == b"data"
    writer.close()

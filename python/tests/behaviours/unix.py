"""Connections over Unix sockets."""

import os
import struct
import types

import asyncio_streams as asyncio
from asyncio_streams import socket, ssl

from .support import (
    MEBIBYTE,
    ORIGINAL,
    UnixPair,
    at,
    check,
    departs,
    echo,
    fails,
    peer,
    server_context,
)
from .tls import Reports


@check
async def ux7_a_path_or_a_socket_and_not_both():
    error = await fails(ValueError, asyncio.start_unix_server, print)
    assert str(error) == "path was not specified, and no sock specified"
    error = await fails(ValueError, asyncio.open_unix_connection)
    assert str(error) == "no path and sock were specified"
    tcp = types.SimpleNamespace(family=socket.AF_INET, type=socket.SOCK_STREAM)
    for opening in (
        lambda **options: asyncio.start_unix_server(print, **options),
        asyncio.open_unix_connection,
    ):
        error = await fails(ValueError, opening, path=at("live"), sock=tcp)
        assert str(error) == "path and sock can not be specified at the same time"
        error = await fails(ValueError, opening, sock=tcp)
        assert str(error) == f"A UNIX Domain Stream Socket was expected, got {tcp!r}"
        await fails(TypeError, opening, host="127.0.0.1")
    await fails(ValueError, asyncio.open_unix_connection, at("live"), limit=0)


@check
async def ux9_tls_needs_a_name_and_what_belongs_to_it_needs_tls():
    error = await fails(ValueError, asyncio.open_unix_connection, at("live"), ssl=True)
    assert str(error) == "you have to pass server_hostname when using ssl"
    for option in ("server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout"):
        options = {option: "localhost" if option == "server_hostname" else 1}
        error = await fails(ValueError, asyncio.open_unix_connection, at("live"), **options)
        assert str(error) == f"{option} is only meaningful with ssl"
        if option != "server_hostname":
            error = await fails(ValueError, asyncio.start_unix_server, print, at("tls"), **options)
            assert str(error) == f"{option} is only meaningful with ssl"
    await fails(TypeError, asyncio.start_unix_server, print, at("tls"), ssl=True)


@check
async def ux9_tls_over_a_unix_socket_checks_the_name_that_is_given():
    server = {"ssl": server_context()}
    async with UnixPair(server, ssl=True, server_hostname="localhost") as pair:
        assert pair.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert pair.writer.get_extra_info("peername") == at("pair")
        await pair.send(b"to the client")
        assert await pair.reader.readexactly(13) == b"to the client"
        data = bytes(MEBIBYTE)
        pair.writer.write(data)
        assert await pair.peer_reader.readexactly(MEBIBYTE) == data
    reports = Reports()
    async with await asyncio.start_unix_server(echo, at("tls"), **server):
        opening = asyncio.open_unix_connection(at("tls"), ssl=True, server_hostname="other")
        await fails(ssl.SSLCertVerificationError, opening)
    reports.end()


@check
async def ux10_a_server_has_its_path_for_a_name_and_a_client_none():
    async with UnixPair() as pair:
        client, server = pair.writer, pair.peer_writer
        assert client.get_extra_info("peername") == server.get_extra_info("sockname") == at("pair")
        assert client.get_extra_info("sockname") == server.get_extra_info("peername") == ""
        for writer in (client, server):
            stand_in = writer.get_extra_info("socket")
            assert (stand_in.family, stand_in.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
            assert stand_in.getsockname() == writer.get_extra_info("sockname")
            assert stand_in.getpeername() == writer.get_extra_info("peername")


@check
async def ux10_the_socket_tells_who_the_peer_is():
    async with UnixPair() as pair:
        peers = []
        for writer in (pair.writer, pair.peer_writer):
            packed = writer.get_extra_info("socket").getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
            )
            peers.append(struct.unpack("3i", packed))
            if not ORIGINAL:
                assert writer.get_extra_info("peercred") == peers[-1]
        # Both ends are this program's.
        assert peers[0] == peers[1] and peers[0][0] > 0
        # The other end is another process of the same user.
        _, writer = await asyncio.open_unix_connection(at("live"))
        packed = writer.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
        pid, *user = struct.unpack("3i", packed)
        assert pid != peers[0][0] and user == list(peers[0][1:])
        writer.close()


@departs("ours")
@check
async def only_a_unix_socket_tells_who_the_peer_is():
    own = await peer(b"close")
    assert own[1].get_extra_info("peercred", "unknown") == "unknown"
    stand_in = own[1].get_extra_info("socket")
    await fails(OSError, stand_in.getsockopt, socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    own[1].close()


@check
async def unix_streams_are_as_over_tcp():
    async with UnixPair({"limit": 10}, limit=10) as pair:
        data = os.urandom(8 * MEBIBYTE)
        pair.writer.write(data)
        draining = asyncio.create_task(pair.writer.drain())
        assert await pair.peer_reader.readexactly(len(data)) == data
        await draining
        await pair.send(b"0123456789a\n")
        await fails(asyncio.LimitOverrunError, pair.reader.readuntil())
        assert await pair.reader.read(100) == b"0123456789a\n"
        # One half ends, and the other one goes on.
        pair.writer.write_eof()
        assert await pair.peer_reader.read() == b""
        pair.peer_writer.write(b"afterwards")
        pair.peer_writer.close()
        assert await pair.reader.read() == b"afterwards"
        pair.writer.close()
        await pair.writer.wait_closed()


@check
async def a_unix_server_may_be_bound_and_not_serve_yet():
    server = await asyncio.start_unix_server(echo, at("later"), start_serving=False, backlog=1)
    assert not server.is_serving()
    await fails(ConnectionRefusedError, asyncio.open_unix_connection, at("later"))
    await server.start_serving()
    reader, writer = await asyncio.open_unix_connection(at("later"))
    writer.write(b"served")
    assert await reader.readexactly(6) == b"served"
    writer.close()
    server.close()
    assert server.sockets == ()


@check
async def programs_of_others_are_clients_and_servers():
    reader, writer = await asyncio.open_unix_connection(at("live"))
    writer.write(b"sent back")
    assert await reader.readexactly(9) == b"sent back"
    writer.close()

    async def greets(reader, writer):
        writer.write(b"hello, " + await reader.readline())
        writer.close()

    async with await asyncio.start_unix_server(greets, at("greets")):
        reader, writer = await peer(f"visit {at('greets')}".encode())
        assert await reader.read() == b"hello, visitor\n"
        writer.close()

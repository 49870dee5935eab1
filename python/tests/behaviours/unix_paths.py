"""Paths of Unix sockets. `peer.py` has made the files `live`, `full`, `stale` and
`file`."""

import errno
import os
import pathlib

import asyncio_streams as asyncio

from .support import at, check, departs, echo, fails


async def answers(path):
    """Returns true if a server at the path sends back the bytes it receives."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"hello")
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer == b"hello"


async def in_use(path, **options):
    error = await fails(OSError, asyncio.start_unix_server, echo, path, **options)
    assert error.errno == errno.EADDRINUSE
    assert error.strerror == f"Address {path!r} is already in use", error


@check
async def ux1_a_path_is_text_or_bytes_or_path_like():
    for name in ("text", "grüße", os.fsdecode(b"no unicode: \xff")):
        path = at(name)
        for form in (path, os.fsencode(path), pathlib.PurePosixPath(path)):
            async with await asyncio.start_unix_server(echo, form) as server:
                assert server.sockets[0].getsockname() == path
                assert await answers(path)
                assert await answers(os.fsencode(path))
    await fails(TypeError, asyncio.open_unix_connection, 5)
    await fails(TypeError, asyncio.start_unix_server, echo, 5)


@check
async def ux2_after_a_null_byte_a_path_is_an_abstract_name():
    name = f"\0{os.path.basename(os.path.dirname(at('name')))}.abstract"
    for form in (name, name.encode()):
        async with await asyncio.start_unix_server(echo, form) as server:
            assert server.sockets[0].getsockname() == name.encode()
            assert await answers(form)
        await fails(ConnectionRefusedError, asyncio.open_unix_connection, form)


@check
async def ux3_the_file_of_a_server_that_is_gone_is_replaced():
    await fails(ConnectionRefusedError, asyncio.open_unix_connection, at("stale"))
    async with await asyncio.start_unix_server(echo, at("stale")):
        assert await answers(at("stale"))


@departs("D10")
@check
async def ux3_a_live_server_is_left_alone():
    await in_use(at("live"))
    assert await answers(at("live"))
    # This includes sockets of the same program, serving or not.
    for serving in (True, False):
        server = await asyncio.start_unix_server(echo, at("own"), start_serving=serving)
        await in_use(at("own"))
        await server.start_serving()
        assert await answers(at("own"))
        server.close()


@check
async def ux4_a_file_of_another_kind_is_in_the_way_and_stays():
    await in_use(at("file"))
    await fails(ConnectionRefusedError, asyncio.open_unix_connection, at("file"))


@departs("3.13")
@check
async def ux5_the_file_is_removed_at_the_close():
    async with await asyncio.start_unix_server(echo, at("removed")):
        assert await answers(at("removed"))
    await fails(FileNotFoundError, asyncio.open_unix_connection, at("removed"))
    async with await asyncio.start_unix_server(echo, at("stays"), cleanup_socket=False):
        assert await answers(at("stays"))
    await fails(ConnectionRefusedError, asyncio.open_unix_connection, at("stays"))


@departs("D10")
@check
async def ux6_a_path_that_can_be_none_is_a_value_error():
    for path in ("", b"", "relative", "./relative", at("nu\0ll")):
        await fails(ValueError, asyncio.start_unix_server, echo, path)
        await fails(ValueError, asyncio.open_unix_connection, path)


@check
async def ux8_a_path_may_be_too_long():
    longest = at("").ljust(107, "x")
    async with await asyncio.start_unix_server(echo, longest):
        assert await answers(longest)
    for path in (longest + "x", os.fsencode(longest) + b"x"):
        for opening in (asyncio.open_unix_connection(path), asyncio.start_unix_server(echo, path)):
            error = await fails(OSError, opening)
            assert error.args == ("AF_UNIX path too long",), error


@check
async def ux8_a_path_may_lead_nowhere():
    for path in (at("nothing"), at("missing/nothing")):
        error = await fails(FileNotFoundError, asyncio.open_unix_connection, path)
        assert error.errno == errno.ENOENT
    await fails(FileNotFoundError, asyncio.start_unix_server, echo, at("missing/nothing"))


@departs("ours")
@check
async def a_path_without_a_rule_is_denied():
    for path in ("/nowhere", at("../nowhere"), "\0nowhere"):
        error = await fails(PermissionError, asyncio.open_unix_connection, path)
        assert error.errno == errno.EACCES and "nowhere" in str(error)
        await fails(PermissionError, asyncio.start_unix_server, echo, path)


@departs("ours")
@check
async def a_connect_to_a_path_may_have_a_timeout():
    error = await fails(TimeoutError, asyncio.open_unix_connection, at("full"), timeout=0.05)
    assert error.errno == errno.ETIMEDOUT
    _, writer = await asyncio.open_unix_connection(at("live"), timeout=60)
    writer.close()

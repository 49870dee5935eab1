"""Helpers that the checks share."""

import inspect
import os
import sys

import asyncio_streams as asyncio
from asyncio_streams import ssl

CHECKS = []

# True if CPython's own asyncio runs the checks: see tests/e2e/python.rs.
ORIGINAL = asyncio.__name__ == "asyncio"

MEBIBYTE = 2**20


def check(function):
    CHECKS.append(function)
    return function


def departs(_why):
    """Skips a check with CPython's own asyncio. The reason is a departure's id, a version
    after 3.11, or `ours` for a function that asyncio does not have."""

    def mark(function):
        if ORIGINAL:
            CHECKS.remove(function)
        return function

    return mark


async def fails(kinds, function, *args, **kwargs):
    """Returns the exception, which has to be of exactly one of these classes."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        result = function(*args, **kwargs) if callable(function) else function
        if inspect.isawaitable(result):
            result = await result
    except BaseException as error:
        assert type(error) in kinds, f"{error!r} is none of {kinds}"
        return error
    raise AssertionError(f"{result!r} and none of {kinds}")


def ports():
    """Returns the peer's port, and one where a client never connects."""
    return map(int, sys.argv[1].split()[:2])


def free_port():
    """Returns a port that no other test has and that the kernel gives to no socket by
    itself, so that a check can close it and bind it again."""
    return int(sys.argv[1].split()[2])


def at(name):
    """Returns a path in the folder that the peer and the checks share."""
    return os.path.join(sys.argv[2], name)


async def peer(line):
    own, _ = ports()
    reader, writer = await asyncio.open_connection("127.0.0.1", own)
    writer.write(line + b"\n")
    return reader, writer


def serve(callback, host="127.0.0.1", port=0, **options):
    return asyncio.start_server(callback, host, port, **options)


def connect(server, **options):
    return asyncio.open_connection(*server.sockets[0].getsockname()[:2], **options)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


async def arrived(reader, count):
    """Waits until this many bytes can be read."""
    if ORIGINAL:
        await until(lambda: len(reader._buffer) >= count)
    else:
        await until(lambda: reader._wit.buffered() >= count)


async def waiting(coroutine):
    """Returns a task that has begun to wait."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.02)
    assert not task.done(), task
    return task


class Pair:
    """A connection inside this program: the reader and writer of both ends."""

    def __init__(self, server=None, **options):
        self.server_options = server or {}
        self.options = options

    async def serve(self, callback):
        return await serve(callback, **self.server_options)

    async def connect(self, server):
        return await connect(server, **self.options)

    async def __aenter__(self):
        accepted = asyncio.Queue()
        server = await self.serve(lambda *pair: accepted.put_nowait(pair))
        self.reader, self.writer = await self.connect(server)
        self.peer_reader, self.peer_writer = await accepted.get()
        server.close()
        return self

    async def __aexit__(self, *error):
        for writer in (self.writer, self.peer_writer):
            if not writer.is_closing():
                writer.transport.abort()

    async def send(self, data):
        """Sends to the reader, whose buffer is empty, and waits until the data can be
        read."""
        self.peer_writer.write(data)
        await arrived(self.reader, len(data))

    async def end(self, data=b""):
        self.peer_writer.write(data)
        self.peer_writer.write_eof()
        await arrived(self.reader, len(data))


class UnixPair(Pair):
    """A connection inside this program over a Unix socket."""

    async def serve(self, callback):
        return await asyncio.start_unix_server(callback, at("pair"), **self.server_options)

    async def connect(self, server):
        return await asyncio.open_unix_connection(at("pair"), **self.options)


def server_context(*identities, context=None):
    """Makes a server's context that presents these certificates. The command knows them
    by name; CPython finds their files."""
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name in identities or ("localhost",):
        if ORIGINAL:
            context.load_cert_chain(os.path.join(os.environ["IDENTITIES"], f"{name}.pem"))
        else:
            context.use_identity(name)
    return context


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

"""A program that does one thing over and over, while tests/leaks/python.rs watches its
memory.

Argument: the folder of its Unix sockets. Each line of the socket `control` is a mode and
a count.
"""

import functools
import sys

import asyncio_streams as asyncio
from asyncio_streams import socket


def at(name):
    return f"{sys.argv[1]}/{name}"


async def many(function, data, count):
    """Writes the data to a peer that throws them away."""
    _, writer = await asyncio.open_unix_connection(at("sink"))
    for _ in range(count):
        function(writer, data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


write_megabytes = functools.partial(many, asyncio.StreamWriter.write, bytes(1_000_000))
write_kilobytes = functools.partial(many, asyncio.StreamWriter.write, bytes(1000))
writelines = functools.partial(many, asyncio.StreamWriter.writelines, [bytes(5000)] * 2)


async def stdout(count):
    writer = await asyncio.stdout()
    for _ in range(count):
        writer.write(bytes(10_000))
        await writer.drain()


async def prints(count):
    for number in range(count):
        print(number)
        if number % 1000 == 0:
            await asyncio.sleep(0)


async def send(count):
    one, other = socket.socketpair()
    for _ in range(count):
        one.sendall(bytes(10_000))
        assert len(other.recv(10_000)) == 10_000


async def pair():
    one, other = socket.socketpair()
    reader, _ = await asyncio.open_connection(sock=one)
    _, writer = await asyncio.open_connection(sock=other)
    return reader, writer


async def readuntil(count):
    reader, writer = await pair()
    for _ in range(count // 1000):
        writer.write(b"line\r\n" * 1000)
        for _ in range(1000):
            await reader.readuntil(b"\r\n")


async def separators(count):
    reader, writer = await pair()
    for number in range(count):
        separator = b"-" * 64 + str(number).encode()
        writer.write(separator)
        assert await reader.readuntil(separator) == separator


async def connect(count):
    for _ in range(count):
        _, writer = await asyncio.open_unix_connection(at("sink"))
        writer.close()
        await writer.wait_closed()


async def main():
    reader, writer = await asyncio.open_unix_connection(at("control"))
    writer.write(b"ready\n")
    async for line in reader:
        mode, count = line.decode().split()
        await globals()[mode](int(count))
        writer.write(b"done\n")


asyncio.run(main())

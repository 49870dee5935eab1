"""A client of Redis on its Unix socket, which prints the replies as
`redis-cli --raw` does.

Arguments: the socket's path, and a command with its arguments. After a leading
`-x`, standard input is the last argument. Without a command, each line of standard
input is a command; they are sent without waiting for the replies.
"""

import sys

import asyncio_streams as asyncio

USAGE = "usage: redis_client PATH [COMMAND ARG...], or -x PATH COMMAND ARG..."


class Refused(bytes):
    """An error of the server's."""


def command(words):
    """An array of bulk strings."""
    strings = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%b" % (len(words), strings)


async def receive(reader):
    """The next reply: bytes, an integer, None, or a list of such."""
    line = await reader.readuntil(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    match kind:
        case b"+":
            return rest
        case b"-":
            return Refused(rest)
        case b":":
            return int(rest)
        case b"$" if int(rest) >= 0:
            return (await reader.readexactly(int(rest) + 2))[:-2]
        case b"*" if int(rest) >= 0:
            return [await receive(reader) for _ in range(int(rest))]
        case b"$" | b"*":
            return None
    raise ValueError(f"no reply: {line!r}")


def raw(reply):
    """A line for each value."""
    match reply:
        case None | []:
            return b"\n"
        case list():
            return b"".join(map(raw, reply))
        case int():
            return b"%d\n" % reply
    return reply + b"\n"


async def show(reply):
    """Prints it; true if the command was refused."""
    writer = await asyncio.stdout()
    writer.write(raw(reply))
    await writer.drain()
    return isinstance(reply, Refused)


async def pipeline(reader, writer):
    """Sends the commands that standard input has, and prints the replies meanwhile.
    Returns how many were refused."""
    expected = asyncio.Queue()

    async def send():
        async for line in await asyncio.stdin():
            if words := line.split():
                writer.write(command(words))
                await writer.drain()
                expected.put_nowait(True)
        expected.put_nowait(False)

    refused = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        while await expected.get():
            refused += await show(await receive(reader))
    return refused


async def main():
    with_input = sys.argv[1:2] == ["-x"]
    path, *words = sys.argv[1 + with_input :] or [None]
    if path is None or (with_input and not words):
        sys.exit(USAGE)
    words = [word.encode() for word in words]
    reader, writer = await asyncio.open_unix_connection(path)
    if words:
        if with_input:
            words.append(await (await asyncio.stdin()).read())
        writer.write(command(words))
        await writer.drain()
        refused = await show(await receive(reader))
    else:
        refused = await pipeline(reader, writer)
    writer.close()
    await writer.wait_closed()
    if refused:
        sys.exit(f"error: commands that the server refused: {refused:d}")


asyncio.run(main())

"""Copies standard input to standard output in upper case, line by line, no faster
than the reader of the output takes them.
"""

import sys

import asyncio_streams as asyncio


async def upper():
    reader, writer = await asyncio.stdin(), await asyncio.stdout()
    lines = 0
    async for line in reader:
        writer.write(line.upper())
        await writer.drain()
        lines += 1
    print(lines, "lines", file=sys.stderr)


asyncio.run(upper())

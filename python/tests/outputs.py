"""Prints more than the reader of its output takes.

Arguments: `count N`, which prints so many lines of 31 bytes without awaiting anything;
`forever`, which prints lines without an end; `serve HOST PORT`: a server that prints 1 KiB
for each byte that a client sends, and sends the byte back. A print that fails is answered
with the name of the exception.
"""

import sys

import asyncio_streams as asyncio


async def main():
    match sys.argv[1:]:
        case ["count", count]:
            for line in range(int(count)):
                print(f"{line:030}")
        case ["forever"]:
            while True:
                print("a line of a program that has no end")
        case ["serve", host, port]:
            async with await asyncio.start_server(echo, host, int(port)) as server:
                await server.serve_forever()


async def echo(reader, writer):
    while byte := await reader.read(1):
        try:
            print("x" * 1023, flush=True)
        except OSError as error:
            byte = f"{type(error).__name__}\n".encode()
        writer.write(byte)
        await writer.drain()


asyncio.run(main())

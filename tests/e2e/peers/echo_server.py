"""Sends back what it receives. Arguments: hosts."""

import asyncio
import sys


async def echo(reader, writer):
    while True:
        data = await reader.read(65536)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(echo, sys.argv[1:], 0, backlog=200)
    for sock in server.sockets:
        print("port", sock.getsockname()[1])
    await server.serve_forever()


asyncio.run(main())

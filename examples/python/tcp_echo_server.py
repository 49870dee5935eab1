"""The reference's echo server: sends back what it receives, once.

Arguments: address (127.0.0.1) and port (8888).
"""

import sys

import asyncio_streams as asyncio


async def handle_echo(reader, writer):
    data = await reader.read(100)
    message = data.decode()
    addr = writer.get_extra_info("peername")

    print(f"Received {message!r} from {addr!r}")

    print(f"Send: {message!r}")
    writer.write(data)
    await writer.drain()

    print("Close the connection")
    writer.close()


async def main():
    address = sys.argv[1:3] or ("127.0.0.1", 8888)
    server = await asyncio.start_server(handle_echo, *address)

    addr = server.sockets[0].getsockname()
    print(f"Serving on {addr}")

    async with server:
        await server.serve_forever()


asyncio.run(main())

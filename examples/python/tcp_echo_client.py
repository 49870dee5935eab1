"""The reference's echo client: sends a message and prints the answer.

Arguments: address (127.0.0.1), port (8888), message (Hello World!).
"""

import sys

import asyncio_streams as asyncio


async def tcp_echo_client(message, host="127.0.0.1", port=8888):
    reader, writer = await asyncio.open_connection(host, port)

    print(f"Send: {message!r}")
    writer.write(message.encode())

    data = await reader.read(100)
    print(f"Received: {data.decode()!r}")

    print("Close the connection")
    writer.close()


async def main():
    address, message = sys.argv[1:3], "".join(sys.argv[3:4])
    await tcp_echo_client(message or "Hello World!", *address)


asyncio.run(main())

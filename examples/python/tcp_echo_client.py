"""The reference's echo client: sends a message and prints the answer.

Arguments: address (127.0.0.1), port (8888), message (Hello World!), and
`--no-wait` to end without waiting for the connection to be closed.
"""

import sys

import asyncio_streams as asyncio


async def tcp_echo_client(message, host="127.0.0.1", port=8888, wait=True):
    reader, writer = await asyncio.open_connection(host, port)

    print(f"Send: {message!r}")
    writer.write(message.encode())

    data = await reader.read(100)
    print(f"Received: {data.decode()!r}")

    print("Close the connection")
    writer.close()
    if wait:
        await writer.wait_closed()


async def main():
    args = [arg for arg in sys.argv[1:] if arg != "--no-wait"]
    address, message = args[:2], "".join(args[2:3])
    await tcp_echo_client(message or "Hello World!", *address, wait="--no-wait" not in sys.argv)


asyncio.run(main())

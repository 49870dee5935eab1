"""Connects many times at once, sends random bytes and compares what comes back.

The first of several connections is slow: it stops reading in the middle until
all others have finished. Arguments: host (or the path of a Unix socket), port,
connections, bytes on each, bytes on the slow one, seed.
"""

import asyncio
import random
import socket
import sys

HOST = sys.argv[1]
PORT, COUNT, SIZE, SLOW_SIZE, SEED = map(int, sys.argv[2:7])
CHUNK = 65536


async def connect(slow):
    if HOST.startswith("/"):
        return await asyncio.open_unix_connection(HOST)
    if not slow:
        return await asyncio.open_connection(HOST, PORT)
    family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    # The less the system keeps, the sooner the server has to wait.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_event_loop().sock_connect(sock, (HOST, PORT))
    return await asyncio.open_connection(sock=sock)


async def exchange(index, resume=None):
    size = SIZE if resume is None else SLOW_SIZE
    data = random.Random(SEED + index).getrandbits(8 * size).to_bytes(size, "little")
    reader, writer = await connect(resume is not None)
    sent = 0

    async def send():
        nonlocal sent
        for start in range(0, size, CHUNK):
            writer.write(data[start : start + CHUNK])
            await writer.drain()
            sent = start
        writer.write_eof()

    sending = asyncio.ensure_future(send())
    received = bytearray()
    while True:
        piece = await reader.read(CHUNK)
        if not piece:
            break
        received += piece
        if resume is not None and len(received) >= size // 2:
            await resume.wait()
            print("resumed with", len(received), "received and", sent, "sent of", size)
            resume = None
    await sending
    assert received == data, f"connection {index}: {len(received)} bytes of {size}, or others"
    writer.close()
    await writer.wait_closed()


async def main():
    resume = asyncio.Event()
    slow = asyncio.ensure_future(exchange(0, resume)) if COUNT > 1 else None
    await asyncio.gather(*(exchange(index) for index in range(1 if slow else 0, COUNT)))
    print("others done")
    resume.set()
    if slow:
        await slow
    print("all done")


asyncio.run(main())

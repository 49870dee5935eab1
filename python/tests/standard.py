"""A program on its standard streams, which tests/e2e/python/stdio.rs runs.

Arguments: its task, and for `lines` its exit code.
"""

import sys

import asyncio_streams as asyncio


async def copy():
    reader, writer = await asyncio.gather(asyncio.stdin(), asyncio.stdout())
    assert await asyncio.stdin() is reader and await asyncio.stdout() is writer
    count = 0
    while data := await reader.read(65536):
        count += len(data)
        writer.write(data)
        await writer.drain()
    (await asyncio.stderr()).write(f"{count} bytes\n".encode())


async def order():
    writer = await asyncio.stdout()
    print("printed", end=", ")
    writer.write(b"written, ")
    writer.close()
    await writer.wait_closed()
    print("printed")


async def lines():
    writer = await asyncio.stdout()
    assert writer.get_extra_info("peername") is None
    for number in range(100_000):
        writer.write(f"line {number}\n".encode())
    sys.exit(int(sys.argv[2]))


async def line():
    reader = await asyncio.stdin()
    print(await reader.readline())
    try:
        await asyncio.wait_for(reader.readline(), 0.05)
    except TimeoutError:
        print("nothing in time")


async def endless():
    writer = await asyncio.stdout()
    try:
        while True:
            writer.write(b"endless, " * 10_000)
            await writer.drain()
    except BrokenPipeError as error:
        print(type(error).__name__, file=sys.stderr)
    writer.close()
    try:
        await writer.wait_closed()
    except BrokenPipeError as error:
        print(type(error).__name__, file=sys.stderr)


async def main():
    await globals()[sys.argv[1]]()


asyncio.run(main())

"""CPython's asyncio streams as a peer: an echo, or a server that counts lines.

usage: asyncio_echo.py echo|readline|readuntil [--uvloop]
"""

import asyncio
import sys


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def readline(reader, writer):
    lines = size = 0
    while line := await reader.readline():
        lines += 1
        size += len(line)
    writer.write(b"%d %d\n" % (lines, size))
    writer.close()


async def readuntil(reader, writer):
    lines = size = 0
    try:
        while True:
            size += len(await reader.readuntil(b"\r\n"))
            lines += 1
    except asyncio.IncompleteReadError:
        pass
    writer.write(b"%d %d\n" % (lines, size))
    writer.close()


async def main(serve):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"listening on {host}:{port}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
    asyncio.run(main({"echo": echo, "readline": readline, "readuntil": readuntil}[sys.argv[1]]))

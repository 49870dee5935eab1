"""CPython's asyncio streams as a peer: an echo, a server that counts lines, a
source that sends without end, a sink that counts bytes up to a newline at their
end.

usage: asyncio_echo.py echo|readline|readuntil|source|sink [--uvloop] [--tls PEM]
    [unix:PATH]
"""

import asyncio
import ssl
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


async def source(reader, writer):
    block = bytes(range(251)) * 1024
    try:
        while True:
            writer.write(block)
            await writer.drain()
            # Over TLS a drain may never wait, and the end of the connection does.
            await asyncio.sleep(0)
    except OSError:  # the client has gone
        writer.close()


async def sink(reader, writer):
    size = 0
    while data := await reader.read(65536):
        size += len(data)
        if data.endswith(b"\n"):
            writer.write(b"%d\n" % size)
            break
    writer.close()


async def main(serve, context, path):
    if path is None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        host, port = server.sockets[0].getsockname()
        address = f"{host}:{port}"
    else:
        server = await asyncio.start_unix_server(serve, path, ssl=context)
        address = f"unix:{path}"
    print(f"listening on {address}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[sys.argv.index("--tls") + 1])
    services = {
        "echo": echo,
        "readline": readline,
        "readuntil": readuntil,
        "source": source,
        "sink": sink,
    }
    scheme, _, path = sys.argv[-1].partition(":")
    path = path if scheme == "unix" else None
    asyncio.run(main(services[sys.argv[1]], context, path))

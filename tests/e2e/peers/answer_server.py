"""Reads each question to its end and only then answers."""

import asyncio


async def answer(reader, writer):
    question = await reader.read()
    assert reader.at_eof()
    writer.write(b"answer to " + question)
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())

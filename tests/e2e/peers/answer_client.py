"""Asks a question, ends its side, and reads the answer to its end.

Arguments: port and the question.
"""

import asyncio
import sys


async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(sys.argv[2].encode())
    writer.write_eof()
    print((await reader.read()).decode())
    writer.close()
    await writer.wait_closed()


asyncio.run(main())

"""The reference's third program: prints the headers of a server's answer.

Argument: a URL.
"""

import sys
import urllib.parse

import asyncio_streams as asyncio


async def print_http_headers(url):
    url = urllib.parse.urlsplit(url)
    if url.scheme == "https":
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 443, ssl=True)
    else:
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)

    query = f"HEAD {url.path or '/'} HTTP/1.0\r\nHost: {url.hostname}\r\n\r\n"

    writer.write(query.encode("latin-1"))
    while True:
        line = await reader.readline()
        if not line:
            break

        line = line.decode("latin1").rstrip()
        if line:
            print(f"HTTP header> {line}")

    # Ignore the body, close the socket
    writer.close()


async def main():
    await print_http_headers(sys.argv[1])


asyncio.run(main())

"""The checks that tests/e2e/python.rs runs: modules in alphabetical order, checks in
the order of the lines. Each check prints `ok name`, or a traceback and `failed name`.
The names begin with ids of docs/conformance.md.

CPython's own asyncio passes the same checks, except those of departures: the test runs
this program with it as well.

Arguments: the ports of `peer.py`; its folder; the exit code; names of checks, or none
for all.
"""

import sys
import traceback

import asyncio_streams as asyncio

# Importing a module registers its checks.
from . import (
    connecting,
    exceptions,
    program,
    reading,
    serving,
    sockets,
    tls,
    tls_context,
    tls_sessions,
    tls_start,
    transport,
    unix,
    unix_paths,
    writing,
)
from .support import CHECKS, connect, fails, serve


async def background():
    try:
        await asyncio.sleep(3600)
    finally:
        print("background task cancelled")


async def main():
    code, *chosen = sys.argv[3:]
    for function in CHECKS:
        if chosen and function.__name__ not in chosen:
            continue
        try:
            await asyncio.wait_for(function(), 240)
            print("ok", function.__name__)
        except Exception:
            traceback.print_exc()
            print("failed", function.__name__)
    # The end cancels running tasks, closes open connections, and drops calls that
    # never end: a read, a server, a timer.
    asyncio.create_task(background())
    held = []
    server = await serve(lambda *pair: held.append(pair))
    reader, writer = await connect(server)
    await fails(TimeoutError, asyncio.wait_for(reader.readline(), 0.01))
    globals().update(kept=(server, reader, writer, held))
    sys.exit(int(code))


asyncio.run(main())

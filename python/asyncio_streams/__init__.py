"""asyncio's names for WebAssembly components, over the WIT package asyncio:streams.

Use it as `import asyncio_streams as asyncio`. Streams, servers and `run` are this
module's; everything else is the standard library's asyncio.
"""

import asyncio as _asyncio

# A component has only the codecs that were imported when it was made.
import encodings.ascii
import encodings.idna
import encodings.latin_1
from asyncio import *
from asyncio.exceptions import IncompleteReadError, LimitOverrunError

from . import _lookup as _lookup
from ._connect import open_connection, open_unix_connection
from ._listen import start_server, start_unix_server
from ._program import run
from ._server import Server
from ._stdio import stderr, stdin, stdout
from ._streams import StreamReader, StreamWriter

__all__ = [*_asyncio.__all__, "stdin", "stdout", "stderr"]


def __getattr__(name):
    return getattr(_asyncio, name)

"""Reader and writer.

The reader waits with `ready(some(1))` only, and keeps what it has taken and not
yet returned in a buffer of its own. A `ready` for another request would answer
more, but it could not be given up: componentize-py cannot cancel a call, and
while one waits the next read of another kind is refused as `busy`.
"""

import asyncio
import weakref

from componentize_py_types import Err
from wit_world.imports import asyncio_streams_types as wit
from wit_world.imports import streams

from . import _loop
from ._address import sockaddr
from ._errors import code_error, read_error, write_error

# What is taken from the component at once, beyond what was asked for.
_CHUNK = 2**16

_open = weakref.WeakSet()


class Connection:
    """What a reader and its writer have in common. Closed when both are gone,
    also while a call is under way that holds the component's reader."""

    def __init__(self, reader, writer, limit):
        self.reader = reader
        self.writer = writer
        self.limit = limit
        self.drain = _loop.Shared(writer.drain)
        self.wait_closed = _loop.Shared(writer.wait_closed)
        _open.add(self)
        # No __del__: in a cycle the writer's handle may be gone before it runs.
        weakref.finalize(self, _close, writer)


def _close(writer):
    writer.close()
    if writer.get_write_buffer_size():
        # The program's end waits for it; see `_loop.finish`.
        _loop.start(writer.wait_closed())


def close_all(wait):
    """Closes what the program left open at its end; `_loop.finish` waits."""
    for connection in list(_open):
        connection.writer.close()
        if wait:
            _loop.start(connection.writer.wait_closed())


class StreamReader:
    """asyncio's StreamReader. Comes from connections; cancelling a read at any
    time loses nothing."""

    def __init__(self, connection):
        self._connection = connection
        self._wit = connection.reader
        self._limit = connection.limit
        self._buffer = bytearray()
        self._error = None
        self._eof = False
        # The call that waits for data; it outlives the read that made it.
        self._ready = None
        # The read that waits.
        self._waiter = None

    def at_eof(self):
        """Whether the data have ended and all were read."""
        return not self._buffer and (self._eof or self._wit.at_eof())

    async def read(self, n=-1):
        """Up to `n` bytes, at least one; all to the end if `n` is negative."""
        if n == 0:
            return b""
        self._check_free("read")
        if n < 0:
            while self._take(_CHUNK) or (not self._ended() and await self._wait()):
                pass
            if self._error is not None and not self._buffer:
                raise self._error
            return self._consume(len(self._buffer))
        while len(self._buffer) < n and not self._take(n - len(self._buffer)):
            if self._buffer:
                break
            if self._error is not None:
                raise self._error
            if self._eof:
                break
            await self._wait()
        return self._consume(n)

    async def readline(self):
        """A line with its newline; at the end what is left. Unlike CPython's,
        an over-long line raises LimitOverrunError and loses nothing."""
        try:
            return await self._until("readline", (b"\n",))
        except asyncio.IncompleteReadError as error:
            return error.partial

    async def readexactly(self, n):
        """Exactly `n` bytes, or IncompleteReadError with those there were."""
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        if n == 0:
            return b""
        self._check_free("readexactly")
        while len(self._buffer) < n:
            if not self._take(n - len(self._buffer)):
                if self._error is not None:
                    raise self._error
                if self._eof:
                    raise asyncio.IncompleteReadError(self._consume(len(self._buffer)), n)
                await self._wait()
        return self._consume(n)

    async def readuntil(self, separator=b"\n"):
        """Up to and including the separator, or the first of a tuple's."""
        separators = separator if isinstance(separator, tuple) else (separator,)
        if not separators:
            raise ValueError("Separator should contain at least one element")
        if not all(separators):
            raise ValueError("Separator should be at least one-byte string")
        return await self._until("readuntil", separators)

    async def discard_line(self):
        """Drops all up to and including the next newline, or the end: the way
        past a line that is over the limit. Returns how many bytes that was."""
        self._check_free("discard_line")
        dropped = 0
        while True:
            end = self._buffer.find(b"\n") + 1
            dropped += len(self._consume(end or len(self._buffer)))
            if end:
                return dropped
            if not self._take(_CHUNK):
                if self._error is not None:
                    raise self._error
                if self._eof:
                    return dropped
                await self._wait()

    def __aiter__(self):
        return self

    async def __anext__(self):
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def _until(self, name, separators):
        self._check_free(name)
        longest = max(map(len, separators))
        searched = 0
        while True:
            found = None
            for separator in separators:
                start = self._buffer.find(separator, searched)
                if start >= 0 and (found is None or start + len(separator) < found[1]):
                    found = start, start + len(separator)
            if found is not None:
                if found[0] > self._limit:
                    raise asyncio.LimitOverrunError(
                        "Separator is found, but chunk is longer than limit", found[0]
                    )
                return self._consume(found[1])
            searched = max(0, len(self._buffer) + 1 - longest)
            if searched > self._limit:
                raise asyncio.LimitOverrunError(
                    "Separator is not found, and chunk exceed the limit", searched
                )
            if not self._take(_CHUNK):
                if self._error is not None:
                    raise self._error
                if self._eof:
                    partial = self._consume(len(self._buffer))
                    raise asyncio.IncompleteReadError(partial, None)
                await self._wait()

    def _consume(self, n):
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        return data

    def _ended(self):
        return self._eof or self._error is not None

    def _take(self, n):
        """Moves up to `n` bytes from the component here; whether there were any.
        Notes the end and the connection's error."""
        if self._ended() or (self._ready is not None and not self._ready.done()):
            return False
        self._ready = None
        try:
            data = self._wit.read_nowait(streams.ReadRequest_Some(n))
        except Err as error:
            self._error = read_error(error.value)
            return False
        if data is None:
            return False
        self._eof = not data
        self._buffer += data
        return bool(data)

    async def _wait(self):
        """Waits until the component has something; true."""
        if self._ended():
            return True
        if self._ready is None:
            self._ready = _loop.start(self._wit.ready(streams.ReadRequest_Some(1)))
        waiter = self._waiter = _loop.end_of(self._ready)
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None
        return True

    def _check_free(self, name):
        # A read that was cancelled a moment ago has not run since.
        if self._waiter is not None and not self._waiter.cancelled():
            raise RuntimeError(
                f"{name}() called while another coroutine is already waiting for incoming data"
            )


class StreamWriter:
    """asyncio's StreamWriter."""

    def __init__(self, connection):
        self._connection = connection
        self._wit = connection.writer

    @property
    def transport(self):
        """The controls of the connection."""
        return Transport(self._connection)

    def write(self, data):
        """Takes the bytes; they are sent in the background. After `close` it
        raises, where CPython's loses them."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            kind = type(data).__name__
            raise TypeError(f"data argument must be a bytes-like object, not {kind!r}")
        _writing(self._wit.write, bytes(data))

    def writelines(self, data):
        """Writes the pieces in order, all or none."""
        self.write(b"".join(data))

    async def drain(self):
        """Waits while too much is waiting to be sent."""
        try:
            await self._connection.drain()
        except Err as error:
            raise write_error(error.value) from None

    def can_write_eof(self):
        return self._wit.can_write_eof()

    def write_eof(self):
        """Ends the data; reading goes on."""
        _writing(self._wit.write_eof)

    def close(self):
        """Closes once everything written is sent."""
        self._wit.close()

    def is_closing(self):
        return self._wit.is_closing()

    async def wait_closed(self):
        """Waits until the connection is closed; raises its error if it failed."""
        try:
            await self._connection.wait_closed()
        except Err as error:
            raise code_error(error.value) from None

    def get_extra_info(self, name, default=None):
        """`peername`, `sockname`; `default` for what there is not."""
        info = self._wit.get_extra_info(name)
        if info is None:
            return default
        return sockaddr(info.value) if isinstance(info, wit.ExtraInfo_Address) else info.value

    async def start_tls(self, *args, **kwargs):
        """Not yet."""
        raise NotImplementedError("TLS is not supported")


class Transport:
    """What `writer.transport` gives."""

    def __init__(self, connection):
        self._connection = connection
        self._wit = connection.writer

    write = StreamWriter.write
    writelines = StreamWriter.writelines
    can_write_eof = StreamWriter.can_write_eof
    write_eof = StreamWriter.write_eof
    close = StreamWriter.close
    is_closing = StreamWriter.is_closing
    get_extra_info = StreamWriter.get_extra_info

    def abort(self):
        """Throws away what is not sent and closes at once."""
        self._wit.abort()

    def set_write_buffer_limits(self, high=None, low=None):
        """The marks at which `drain` begins and ends to wait."""
        for value in (high, low):
            if value is not None and value < 0:
                raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        _writing(self._wit.set_write_buffer_limits, high, low)

    def get_write_buffer_limits(self):
        """The marks: low, high."""
        return tuple(self._wit.get_write_buffer_limits())

    def get_write_buffer_size(self):
        return self._wit.get_write_buffer_size()

    def pause_reading(self):
        self._wit.pause_reading()

    def resume_reading(self):
        self._wit.resume_reading()

    def is_reading(self):
        return self._wit.is_reading()


def _writing(function, *args):
    try:
        function(*args)
    except Err as error:
        raise write_error(error.value) from None

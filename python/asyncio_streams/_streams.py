"""Reader and writer.

A read takes data with `read-nowait`, which cannot be cancelled, and waits with
`ready`, which takes nothing. So a cancelled read loses nothing. Its `ready` goes on,
because componentize-py cannot cancel a call, and ends when the next read begins.
"""

import asyncio
import operator
import weakref

from componentize_py_types import Err
from wit_world.imports import asyncio_streams_types as wit
from wit_world.imports import streams

from . import _handover, _loop, _tls
from ._address import TransportSocket, sockaddr
from ._errors import code_error, connect_error, drain_error, read_error, write_error
from ._socket_options import SocketOptions

_ALL = streams.ReadRequest_All()
_MOST = 2**64 - 1

_open = weakref.WeakSet()


class Connection:
    """The state that a reader and its writer share. It is closed when both are gone,
    even if a call still holds the component's reader."""

    def __init__(self, reader, writer, session=None, server_side=False):
        self.reader = reader
        self.writer = writer
        # The TLS session, if there is one.
        self.ssl_object = session and _tls.SSLObject(writer, session)
        self.server_side = server_side
        self.drain = _loop.Shared(writer.drain)
        self.drain_nowait = writer.drain_nowait
        self.wait_closed = _loop.Shared(writer.wait_closed)
        _open.add(self)
        # Not `__del__`: in a cycle the writer's handle may be gone before it runs.
        weakref.finalize(self, _close, writer)


def _close(writer):
    writer.close()
    if writer.get_write_buffer_size():
        # The end of the program waits for this call: see `_loop.finish`.
        _loop.start(writer.wait_closed())


def close_all(wait):
    """Closes the connections that the program left open. `_loop.finish` waits for them."""
    for connection in list(_open):
        connection.writer.close()
        if wait:
            _loop.start(connection.writer.wait_closed())


class StreamReader:
    """asyncio's StreamReader, from a connection. Cancelling a read loses nothing.

    `limit` replaces the connection's limit for one call.
    """

    def __init__(self, connection):
        self._connection = connection
        self._wit = connection.reader
        # The future of the read that waits, if one does.
        self._waiter = None

    def at_eof(self):
        """Returns true if the data have ended and all were read."""
        return self._wit.at_eof()

    def exception(self):
        """Returns the error with which the connection failed; None if it has not."""
        try:
            self._connection.drain_nowait()
        except Err as error:
            if isinstance(error.value, wit.WriteError_Connection):
                return write_error(error.value)
        return None

    async def read(self, n=-1):
        """Reads up to `n` bytes, at least one. Reads to the end if `n` is negative; if
        the connection fails first, its error has the bytes as `partial`."""
        n = operator.index(n)
        if n == 0:
            return b""
        request = _ALL if n < 0 else streams.ReadRequest_Some(min(n, _MOST))
        return await self._read("read", request)

    async def readline(self, *, limit=None):
        """Reads a line with its newline; at the end, the remaining bytes. Unlike in
        CPython, an over-long line raises LimitOverrunError and loses nothing."""
        return await self._read("readline", streams.ReadRequest_Line(_limit(limit)))

    async def readlines(self, max=1000, *, limit=None):
        """Waits for a line and returns all lines that have arrived, at most `max`.
        Costs less than one call for each line. Empty at the end."""
        max, limit = operator.index(max), _limit(limit)
        if not 0 < max < 2**32:
            raise ValueError(f"max must be 1 to 4294967295, not {max}")

        def take(_):
            return self._wit.readlines_nowait(max, limit)

        return await self._read("readlines", streams.ReadRequest_Line(limit), take)

    async def readexactly(self, n):
        """Reads exactly `n` bytes. IncompleteReadError has the bytes before an early end."""
        n = operator.index(n)
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        if n == 0:
            return b""
        return await self._read("readexactly", streams.ReadRequest_Exactly(min(n, _MOST)))

    async def readuntil(self, separator=b"\n", *, limit=None):
        """Reads up to and including the separator. Of a tuple, the separator that
        ends first counts."""
        separators = separator if isinstance(separator, tuple) else (separator,)
        if not separators:
            raise ValueError("Separator should contain at least one element")
        separators = tuple([_bytes("separator", separator) for separator in separators])
        if not all(separators):
            raise ValueError("Separator should be at least one-byte string")
        return await self._read("readuntil", _handover.until(separators, _limit(limit)))

    async def discard_line(self):
        """Drops everything up to and including the next newline, or the end, and
        returns the number of bytes: the way past a line over the limit. Cancelled,
        it has dropped some of them."""
        dropped, over = 0, False
        some = streams.ReadRequest_Some(1)
        while not over:
            count, over = await self._read("discard_line", some, self._discard)
            dropped += count
        return dropped

    def _discard(self, _):
        count, over = self._wit.discard_line_nowait()
        return (count, over) if count or over else None

    def __aiter__(self):
        return self

    async def __anext__(self):
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def _read(self, name, request, take=None):
        if _loop.spent():
            await asyncio.sleep(0)
        # A read that was just cancelled has not run yet to clear its waiter.
        if self._waiter is not None and not self._waiter.cancelled():
            raise RuntimeError(
                f"{name}() called while another coroutine is already waiting for incoming data"
            )
        take = take or self._wit.read_nowait
        try:
            while (data := take(request)) is None:
                await self._ready(request)
            return data
        except Err as error:
            raise read_error(error.value) from None

    async def _ready(self, request):
        """Waits until a read may find data."""
        waiter = self._waiter = _loop.end_of(_loop.start(self._wit.ready(request), eager=True))
        try:
            await waiter
        except asyncio.CancelledError:
            # Any read ends the `ready`, so that nothing more is received for it.
            self._wit.read_nowait(streams.ReadRequest_Some(0))
            raise
        finally:
            if self._waiter is waiter:
                self._waiter = None

    def __repr__(self):
        eof = " eof" if self.at_eof() else ""
        return f"<StreamReader {self._wit.buffered()} bytes{eof} limit={self._wit.limit()}>"


class StreamWriter:
    """asyncio's StreamWriter."""

    def __init__(self, connection):
        self._connection = connection
        self._wit = connection.writer
        self._transport = Transport(connection.writer, connection)

    @property
    def transport(self):
        """The connection's transport, with its controls."""
        return self._transport

    def write(self, data):
        """Takes the bytes; they are sent in the background. Raises after `close`, where
        CPython loses the bytes."""
        _writing(_write, self._wit, _bytes("data", data))

    def writelines(self, data):
        """Writes the pieces in order, all of them or none."""
        _writing(_write, self._wit, b"".join(data))

    async def drain(self):
        """Waits while more bytes than the high-water mark wait to be sent. Raises
        ConnectionResetError if the connection is closed."""
        try:
            if not self._connection.drain_nowait():
                await self._connection.drain()
        except Err as error:
            raise drain_error(error.value) from None

    def can_write_eof(self):
        return self._wit.can_write_eof()

    def write_eof(self):
        """Ends the data; reading goes on."""
        _writing(self._wit.write_eof)

    def close(self):
        """Closes the connection after everything written is sent."""
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
        """Returns `peername`, `sockname`, `socket`; for a Unix socket also `peercred`, the
        peer's process, user and group; with TLS also `ssl_object`, `sslcontext`,
        `peercert`, `cipher`, `compression`. Returns `default` for any other name."""
        return self._transport.get_extra_info(name, default)

    async def start_tls(
        self,
        sslcontext,
        *,
        server_hostname=None,
        ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
    ):
        """Begins TLS on the open connection. A connection of a server takes the
        server's side. On a connection that has TLS already, the new session runs inside
        the earlier one. Cancelling the call aborts the connection."""
        await self.drain()
        session = _tls.of_start_tls(
            sslcontext,
            self._connection.server_side,
            server_hostname,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
        )
        if outer := self._connection.ssl_object:
            outer._keep()
        starting = self._wit.start_tls(session.component, session.name, *session.timeouts)
        try:
            await _loop.call(starting)
        except Err as error:
            raise connect_error(error.value, session=session) from None
        except asyncio.CancelledError:
            self._wit.abort()
            raise
        self._connection.ssl_object = _tls.SSLObject(self._wit, session)

    def __repr__(self):
        return f"<StreamWriter transport={self._transport!r}>"


class Transport(asyncio.Transport):
    """The transport of a writer: `writer.transport`."""

    def __init__(self, writer, owner=None):
        super().__init__()
        self._wit = writer
        # Holding the connection keeps it open.
        self._owner = owner
        self._socket = None

    write = StreamWriter.write
    writelines = StreamWriter.writelines
    can_write_eof = StreamWriter.can_write_eof
    write_eof = StreamWriter.write_eof
    close = StreamWriter.close
    is_closing = StreamWriter.is_closing

    def get_extra_info(self, name, default=None):
        if name == "socket":
            return self._get_socket() or default
        if name in _tls.DETAILS and self._owner is not None:
            return _tls.detail(name, self._owner.ssl_object, default)
        known = isinstance(name, str) and name.isascii()
        info = self._wit.get_extra_info(name) if known else None
        match info:
            case None:
                return default
            case wit.ExtraInfo_Address(address):
                return sockaddr(address)
            case wit.ExtraInfo_Credentials(peer):
                return peer.pid, peer.uid, peer.gid
        return info.value

    def _get_socket(self):
        if self._socket is None and (name := self._wit.sockname()) is not None:
            peercred = self.get_extra_info("peercred")
            options = SocketOptions(self._wit)
            self._socket = TransportSocket(name, self._wit.peername(), peercred, options)
        return self._socket

    def abort(self):
        """Discards the bytes that are not sent, and closes at once."""
        self._wit.abort()

    def set_write_buffer_limits(self, high=None, low=None):
        """Sets the marks at which `drain` begins and stops waiting."""
        high, low = (value if value is None else operator.index(value) for value in (high, low))
        if min(high or 0, low or 0) < 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        _writing(self._wit.set_write_buffer_limits, high, low)

    def get_write_buffer_limits(self):
        """Returns the marks: low, high."""
        return tuple(self._wit.get_write_buffer_limits())

    def get_write_buffer_size(self):
        return self._wit.get_write_buffer_size()

    def pause_reading(self):
        self._wit.pause_reading()

    def resume_reading(self):
        self._wit.resume_reading()

    def is_reading(self):
        return self._wit.is_reading()

    def __repr__(self):
        closing = " closing" if self.is_closing() else ""
        return f"<Transport{closing} peername={self.get_extra_info('peername')!r}>"


def _write(writer, data):
    if isinstance(writer, streams.StreamWriter):
        _handover.write(writer, data)
    else:
        # Standard output or error.
        writer.write(data)


def _writing(function, *args):
    try:
        function(*args)
    except Err as error:
        raise write_error(error.value) from None


def _bytes(name, value):
    if not isinstance(value, (bytes, bytearray, memoryview)):
        kind = type(value).__name__
        raise TypeError(f"{name} argument must be a bytes-like object, not {kind!r}")
    return bytes(value)


def _limit(value):
    if value is None:
        return None
    value = operator.index(value)
    if value <= 0:
        raise ValueError("Limit cannot be <= 0")
    return min(value, _MOST)

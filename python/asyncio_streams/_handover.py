"""Hands bytes over to the streams component without a `list<u8>`.

componentize-py 0.25 copies every `bytes` argument of a call, and never frees the copy.
A write to a stream takes the bytes from where they lie. So the bytes go into the stream
of an outbox, and the outbox passes them on.
"""

import functools

import componentize_py_runtime as _runtime
import wit_world
from componentize_py_types import Ok
from wit_world.imports import handover, streams

# A write to a stream takes less than 2**28 bytes.
_MOST = 2**28 - 1


class _Outbox:
    """The program's outbox, made at the first use."""

    def __init__(self):
        self._wit = None
        self._stream = None
        # A finalizer that runs between filling and taking must not use the outbox.
        self._full = False

    def take(self, data, name, argument, otherwise):
        """Calls the outbox's method `name` with the argument, after filling it with the
        data. Calls `otherwise` with the data if the outbox is in use."""
        if self._full:
            return otherwise(data)
        if self._wit is None:
            self._stream, reader = wit_world.byte_stream()
            self._wit = handover.Outbox(reader)
        self._full = True
        try:
            if data:
                self._fill(data)
            return getattr(self._wit, name)(argument)
        finally:
            self._full = False

    def _fill(self, data):
        count = self._write(data[:_MOST])
        try:
            while count < len(data):
                self._wit.extend(len(data) - count)
                count += self._write(data[count : count + _MOST])
        except BaseException:
            # Drops what is in the outbox.
            self._wit.separators([])
            raise

    def _write(self, data):
        outcome = _runtime.stream_write(self._stream.type_, self._stream.handle, data)
        if not isinstance(outcome, Ok):
            raise RuntimeError("the outbox has no room")
        _, count = outcome.value
        return count


_outbox = _Outbox()


def write(writer, data):
    """Does the work of `writer.write(data)`."""
    _outbox.take(data, "write", writer, writer.write)


def send(socket, data):
    """Does the work of `socket.send(data)`."""
    return _outbox.take(data, "send", socket, socket.send)


def load_verify_locations(context, pem):
    """Does the work of `context.load_verify_locations(pem)`."""
    _outbox.take(pem, "load_verify_locations", context, context.load_verify_locations)


def until(separators, limit=None):
    """Returns a request to read up to one of the separators, a tuple of bytes."""
    if limit is None:
        return _until(separators)
    return streams.ReadRequest_UntilOneOf((_made(separators), limit))


@functools.lru_cache(maxsize=256)
def _until(separators):
    return streams.ReadRequest_UntilOneOf((_made(separators), None))


@functools.lru_cache(maxsize=256)
def _made(separators):
    lengths = list(map(len, separators))

    def otherwise(_):
        return streams.Separators(list(separators))

    return _outbox.take(b"".join(separators), "separators", lengths, otherwise)

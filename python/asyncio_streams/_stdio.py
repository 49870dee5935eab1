"""The standard streams as reader and writers. Programs for asyncio use
`connect_read_pipe` and `connect_write_pipe` for that."""

import errno
import os
import sys

from componentize_py_types import Err
from wit_world.imports import asyncio_streams_types as types
from wit_world.imports import stderr as wit_stderr
from wit_world.imports import stdin as wit_stdin
from wit_world.imports import stdout as wit_stdout
from wit_world.imports import streams

from . import _handover, _loop
from ._streams import Connection, StreamReader, StreamWriter


class _Once:
    """A standard stream, opened at the first call."""

    def __init__(self, opening):
        self._opening = opening
        self._call = _loop.Shared(self._open)
        self.opened = None

    async def _open(self):
        if self.opened is None:
            self.opened = await self._opening()
        return self.opened

    async def __call__(self):
        return self.opened or await self._call()


class _Input:
    """The connection of a StreamReader over standard input."""

    def __init__(self, reader, outcome):
        self.reader = reader
        # Resolves to an error if reading failed instead of ending; None once checked.
        self.outcome = outcome

    def drain_nowait(self):
        """Does nothing: there is no other half that could fail."""


class _StandardReader(StreamReader):
    """A StreamReader that tells an error from the end."""

    async def _read(self, *request):
        data = await super()._read(*request)
        if not data and (outcome := self._connection.outcome) is not None:
            self._connection.outcome = None
            if isinstance(await _loop.call(outcome.read()), Err):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return data


class _Output:
    """The component's writer, whose data go to the host. It first flushes the file of
    that name in `sys`, so that earlier prints come first."""

    def __init__(self, writer, name, taken):
        self._writer = writer
        self._name = name
        # Ends when the host has taken everything.
        self._taken = taken

    def write(self, data):
        getattr(sys, self._name).flush()
        _handover.write(self._writer, data)

    async def wait_closed(self):
        await self._writer.wait_closed()
        await _loop.end_of(self._taken)
        if isinstance(self._taken.result(), Err):
            raise Err(types.ErrorCode_ConnectionBroken())

    def __getattr__(self, name):
        return getattr(self._writer, name)


async def _open_stdin():
    stream, outcome = wit_stdin.read_via_stream()
    reader = await streams.from_stream(stream, None)
    return _StandardReader(_Input(reader, outcome))


async def _open_output(write_via_stream, name):
    writer, stream = await streams.from_sink()
    taken = _loop.start(write_via_stream(stream).read(), eager=True)
    return StreamWriter(Connection(None, _Output(writer, name, taken)))


_stdin = _Once(_open_stdin)
_stdout = _Once(lambda: _open_output(wit_stdout.write_via_stream, "stdout"))
_stderr = _Once(lambda: _open_output(wit_stderr.write_via_stream, "stderr"))


async def stdin():
    """Returns standard input as a StreamReader, each time the same. It does not have
    the data that `sys.stdin` has read."""
    return await _stdin()


async def stdout():
    """Returns standard output as a StreamWriter, each time the same.

    Text printed before a write comes before it. A write is sent in the background, so
    text printed right after it may come first.
    """
    return await _stdout()


async def stderr():
    """Returns standard error as a StreamWriter, otherwise like `stdout`."""
    return await _stderr()


async def finish():
    """Closes standard output and error, and waits without limit until all is written."""
    for output in (_stdout, _stderr):
        if output.opened is not None:
            output.opened.close()
            try:
                await output.opened.wait_closed()
            except OSError:
                # `drain` has reported the error to the tasks that asked.
                pass

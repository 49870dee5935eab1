"""The standard streams as reader and writers: what asyncio's programs do with
`connect_read_pipe` and `connect_write_pipe`."""

import errno
import os
import sys

from componentize_py_types import Err
from wit_world.imports import asyncio_streams_types as types
from wit_world.imports import stderr as wit_stderr
from wit_world.imports import stdin as wit_stdin
from wit_world.imports import stdout as wit_stdout
from wit_world.imports import streams

from . import _loop
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
    """What a StreamReader is made of."""

    def __init__(self, reader, outcome):
        self.reader = reader
        # Whether its end is one, once it has come.
        self.outcome = outcome


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
    """The component's writer, whose data end up at the host. What was printed
    before, to the file of that name in `sys`, goes first."""

    def __init__(self, writer, name, taken):
        self._writer = writer
        self._name = name
        # The host has taken everything.
        self._taken = taken

    def write(self, data):
        getattr(sys, self._name).flush()
        self._writer.write(data)

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
    """Standard input as a StreamReader, each time the same. What `sys.stdin` has
    read is not in it."""
    return await _stdin()


async def stdout():
    """Standard output as a StreamWriter, each time the same.

    What was printed before a write comes before it. A write is sent in the
    background: what is printed right after it may come first.
    """
    return await _stdout()


async def stderr():
    """Standard error as a StreamWriter; else as `stdout`."""
    return await _stderr()


async def finish():
    """Ends them, once everything is written out: however long that takes."""
    for output in (_stdout, _stderr):
        if output.opened is not None:
            output.opened.close()
            try:
                await output.opened.wait_closed()
            except OSError:
                # Whoever wanted to know has been told by `drain`.
                pass

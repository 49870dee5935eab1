"""Servers."""

import asyncio
import weakref

from componentize_py_types import Err
from wit_world.imports import asyncio_streams_types as types

from . import _loop
from ._address import TransportSocket
from ._errors import failure, listen_error, server_error
from ._streams import Connection, StreamReader, StreamWriter, Transport

# How long connections may take to close when the server's scope is left.
_DEADLINE = 5

_open = weakref.WeakSet()


def close_all():
    """Closes what the program left open at its end."""
    for server in list(_open):
        server.close()


class Server(asyncio.AbstractServer):
    """asyncio's Server; comes from `start_server`."""

    def __init__(self, server, callback, session):
        self._wit = server
        self._callback = callback
        # The TLS of its connections, if they have any.
        self._session = session
        self._accepting = False
        self._forever = None
        self._wait_closed = _loop.Shared(server.wait_closed)
        self._closed = False
        _open.add(self)

    @property
    def sockets(self):
        """The addresses that the server listens on; empty once it is closed."""
        return tuple(map(TransportSocket, self._wit.sockets()))

    def get_loop(self):
        return _loop.loop

    def is_serving(self):
        return self._wit.is_serving()

    async def start_serving(self):
        """Begins to accept, unless the server does already."""
        try:
            await _loop.call(self._wit.start_serving())
        except Err as error:
            raise listen_error(error.value) from None
        self._accept()

    async def serve_forever(self):
        """Serves until it is cancelled or the server is closed, which both raise
        CancelledError. Then it closes the connections as `__aexit__` does. Returns
        when the host stops the program."""
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        self._forever = _loop.loop.create_future()
        try:
            try:
                await self.start_serving()
            except RuntimeError:
                if not self._closed:
                    raise
            await self._forever
        except asyncio.CancelledError:
            await self._end()
            raise
        finally:
            self._forever = None

    def close(self):
        """Stops accepting; connections live on."""
        self._closed = True
        self._wit.close()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()

    async def wait_closed(self):
        """Waits until the server and all its connections are closed."""
        await self._wait_closed()

    def close_clients(self):
        """Closes the server's connections, after sending what was written."""
        self._wit.close_clients()

    def abort_clients(self):
        """Closes the server's connections at once."""
        self._wit.abort_clients()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        """Closes the server and its connections, and aborts those that are still open
        5 s later."""
        await self._end()

    async def _end(self):
        self.close()
        self.close_clients()
        try:
            await asyncio.wait_for(self.wait_closed(), _DEADLINE)
        except TimeoutError:
            self.abort_clients()
            await self.wait_closed()

    def _accept(self):
        if not self._accepting:
            self._accepting = True
            _loop.start(self._accept_all())
            _loop.start(self._watch())

    async def _accept_all(self):
        """Calls the callback for each connection until the server is closed."""
        tasks = set()
        while True:
            try:
                pair = self._wit.accept_nowait()
                if pair is None:
                    await self._wit.ready()
                    continue
            except Err as error:
                if not isinstance(error.value, types.ServerError_Closed):
                    report("accepting failed", server_error(error.value))
                elif not self._closed:
                    self._stopped()
                return
            # No variable here may hold the connection: that would keep it open.
            connected(self._callback, Connection(*pair, self._session, True), tasks)
            # An accept that is ready does not wait, so let other tasks run.
            await asyncio.sleep(0)

    def _stopped(self):
        """Ends `serve_forever`: the host has closed the server."""
        if self._forever is not None and not self._forever.done():
            self._forever.set_result(None)
        self.close()

    async def _watch(self):
        """Reports the server's failures until it is closed."""
        try:
            while True:
                report(*failure(await self._wit.next_failure(), self._session))
        except Err:
            return

    def __repr__(self):
        return f"<Server sockets={self.sockets!r}>"


def connected(callback, connection, tasks):
    writer = connection.writer

    def failed(error):
        writer.close()
        message = "Unhandled exception in client_connected_cb"
        report(message, error, transport=Transport(writer))

    def ended(task):
        tasks.discard(task)
        if task.cancelled():
            writer.close()
        elif isinstance(error := task.exception(), Exception):
            failed(error)

    try:
        result = callback(StreamReader(connection), StreamWriter(connection))
    except Exception as error:
        failed(error)
        return
    if asyncio.iscoroutine(result):
        task = _loop.loop.create_task(result)
        tasks.add(task)
        task.add_done_callback(ended)


def report(message, error, **more):
    _loop.loop.call_exception_handler({"message": message, "exception": error, **more})

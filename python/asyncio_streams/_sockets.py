"""Sockets that exist before their streams: `sock=`."""

import errno
import os
import socket

from componentize_py_types import Err
from wit_world.imports import sockets as wit

from . import _handover, _loop
from ._address import AF_UNIX, TransportSocket
from ._errors import code_error, listener_error

# The most bytes that one call passes on: no socket has room for more.
_MOST = 2**20


class Socket(TransportSocket):
    """An end of a pair, or a listener. It has the methods of `socket.socket` that do
    not wait, and raises BlockingIOError where they would.

    Streams take it with `sock=`. The socket then belongs to them, and this object is
    closed.
    """

    timeout = 0.0

    def __init__(self, opened):
        super().__init__(opened.sockname(), opened.peername())
        self._wit = opened

    def send(self, data, flags=0):
        """Sends as many bytes as there is room for, and returns their number."""
        _no_flags(flags)
        data = memoryview(data).cast("B")
        count = self._call(_handover.send, bytes(data[:_MOST]))
        if data and not count:
            raise _blocked()
        return count

    def sendall(self, data, flags=0):
        """Sends everything. If it would have to wait, it raises BlockingIOError, and the
        number of sent bytes is unknown, as for a non-blocking `socket.socket`."""
        data = memoryview(data).cast("B")
        while data:
            data = data[self.send(data, flags) :]

    def recv(self, bufsize, flags=0):
        """Receives up to `bufsize` bytes that have arrived; empty at the end."""
        _no_flags(flags)
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        data = self._call(wit.Socket.recv, min(bufsize, 2**32))
        if data is None and bufsize:
            raise _blocked()
        return data or b""

    def close(self):
        """Closes the socket, unless streams have taken it."""
        if self._wit is not None:
            self._given().__exit__(None, None, None)

    def fileno(self):
        """Returns -1: the host owns the descriptor."""
        return -1

    def getsockname(self):
        self._opened()
        return super().getsockname()

    def getpeername(self):
        self._opened()
        return super().getpeername()

    def setblocking(self, flag):
        """Takes only False: in a component, a call that waits needs `await`."""
        if flag:
            raise NotImplementedError("a socket in a component cannot block: use streams")

    def settimeout(self, value):
        """Takes only 0: see `setblocking`."""
        self.setblocking(value != 0)

    def getblocking(self):
        return False

    def gettimeout(self):
        return self.timeout

    def _call(self, function, argument):
        opened = self._opened()
        try:
            return function(opened, argument)
        except Err as error:
            raise code_error(error.value) from None

    def _opened(self):
        if self._wit is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._wit

    def _given(self):
        """Takes the component's socket out of this object, which is closed from then on."""
        opened, self._wit = self._opened(), None
        return opened

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __repr__(self):
        closed = " [closed]" if self._wit is None else ""
        names = f"laddr={self._sockname!r}, raddr={self._peername!r}"
        return f"<Socket{closed} family={self.family}, type={self.type}, {names}>"


def socketpair(family=None, type=socket.SOCK_STREAM, proto=0):
    """Makes two Unix sockets that are connected to each other. Unlike the standard
    library's they do not block."""
    if family not in (None, AF_UNIX):
        raise OSError(errno.EOPNOTSUPP, f"socketpair: family {family!r} is not AF_UNIX")
    if type != socket.SOCK_STREAM or proto:
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    _at_run("socketpair")
    try:
        pair = wit.socketpair()
    except Err as error:
        raise code_error(error.value) from None
    return tuple(map(Socket, pair))


def listener(name):
    """Takes the host's next inherited listener of that name, for `start_server` or
    `start_unix_server`. The program needs no permission to listen."""
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {name.__class__.__name__}")
    name.encode()
    _at_run("listener")
    try:
        return Socket(wit.listener(name))
    except Err as error:
        raise listener_error(error.value, name) from None


def listeners():
    """Returns the names of the inherited listeners that were not taken yet."""
    _at_run("listeners")
    return wit.listeners()


def of_streams(sock):
    """Refuses a socket that streams cannot use."""
    if isinstance(sock, Socket):
        return
    if getattr(sock, "type", None) == socket.SOCK_STREAM:
        raise NotImplementedError("sock: only sockets of asyncio_streams.socket work here")
    raise ValueError(f"A Stream Socket was expected, got {sock!r}")


def of_unix_streams(sock):
    """Refuses a socket that streams over Unix sockets cannot use."""
    kind = getattr(sock, "family", None), getattr(sock, "type", None)
    if kind != (AF_UNIX, socket.SOCK_STREAM):
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    of_streams(sock)


def _at_run(what):
    if not _loop.is_running():
        raise RuntimeError(f"{what} needs a running component: call it in a coroutine")


def _no_flags(flags):
    if flags:
        raise OSError(errno.EOPNOTSUPP, f"flags {flags:#x} are not supported")


def _blocked():
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

"""Sockets that are there before their streams: `sock=`."""

import errno
import os
import socket

from componentize_py_types import Err
from wit_world.imports import sockets as wit

from . import _loop
from ._address import AF_UNIX, TransportSocket
from ._errors import code_error, listener_error

# What one call passes on: no socket has room for more.
_MOST = 2**20


class Socket(TransportSocket):
    """An end of a pair, or a listener: the standard library's `socket.socket` as
    far as it does not wait. Where it would, it raises BlockingIOError.

    Streams take it with `sock=`. It is theirs then, and closed for its owner.
    """

    timeout = 0.0

    def __init__(self, opened):
        super().__init__(opened.sockname(), opened.peername())
        self._wit = opened

    def send(self, data, flags=0):
        """Sends what there is room for, and returns how many bytes that was."""
        _no_flags(flags)
        data = memoryview(data).cast("B")
        count = self._call("send", bytes(data[:_MOST]))
        if data and not count:
            raise _blocked()
        return count

    def sendall(self, data, flags=0):
        """Sends everything. Where that would have to wait, nobody can tell how much
        was sent: as a socket of the standard library's that does not block."""
        data = memoryview(data).cast("B")
        while data:
            data = data[self.send(data, flags) :]

    def recv(self, bufsize, flags=0):
        """What has come, up to so many bytes; empty at the end."""
        _no_flags(flags)
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        data = self._call("recv", min(bufsize, 2**32))
        if data is None and bufsize:
            raise _blocked()
        return data or b""

    def close(self):
        """Closes it, unless streams have it."""
        if self._wit is not None:
            self._given().__exit__(None, None, None)

    def fileno(self):
        """-1: the descriptor is the host's."""
        return -1

    def getsockname(self):
        self._opened()
        return super().getsockname()

    def getpeername(self):
        self._opened()
        return super().getpeername()

    def setblocking(self, flag):
        """False, as it is: nothing that waits can be called in a component without
        `await`."""
        if flag:
            raise NotImplementedError("a socket of a component does not block: use streams")

    def settimeout(self, value):
        """0, as it is."""
        self.setblocking(value != 0)

    def getblocking(self):
        return False

    def gettimeout(self):
        return self.timeout

    def _call(self, name, argument):
        opened = self._opened()
        try:
            return getattr(opened, name)(argument)
        except Err as error:
            raise code_error(error.value) from None

    def _opened(self):
        if self._wit is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._wit

    def _given(self):
        """The component's socket, given away."""
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
    """Two Unix sockets that are connected to each other. Unlike the standard
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
    """The next listener of that name from the host, for `start_server` or
    `start_unix_server`. The program needs no right to listen."""
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {name.__class__.__name__}")
    name.encode()
    _at_run("listener")
    try:
        return Socket(wit.listener(name))
    except Err as error:
        raise listener_error(error.value, name) from None


def listeners():
    """The names of the host's listeners that were not taken yet."""
    _at_run("listeners")
    return wit.listeners()


def of_streams(sock):
    """Refuses what no stream can be made of."""
    if isinstance(sock, Socket):
        return
    if getattr(sock, "type", None) == socket.SOCK_STREAM:
        raise NotImplementedError("sock: only sockets of asyncio_streams.socket can be given")
    raise ValueError(f"A Stream Socket was expected, got {sock!r}")


def of_unix_streams(sock):
    """The same for Unix sockets only."""
    kind = getattr(sock, "family", None), getattr(sock, "type", None)
    if kind != (AF_UNIX, socket.SOCK_STREAM):
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    of_streams(sock)


def _at_run(what):
    if not _loop.is_running():
        raise RuntimeError(f"{what}: not before the component runs; call it in a coroutine")


def _no_flags(flags):
    if flags:
        raise OSError(errno.EOPNOTSUPP, f"flags {flags:#x} are not supported")


def _blocked():
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

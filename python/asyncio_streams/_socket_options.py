"""The options of a connection's socket: `getsockopt` and `setsockopt`."""

import errno
import operator
import os
import socket

from componentize_py_types import Err

from ._errors import code_error

_TCP = getattr(socket, "IPPROTO_TCP", 6)

_SECOND = 10**9


def _same(value):
    return value


def _seconds(value):
    return value // _SECOND


def _nanoseconds(value):
    return value * _SECOND


def _constant(name, otherwise):
    """Returns a number of the socket module; another one where the build lacks it."""
    return getattr(socket, name, otherwise)


# Of each option: the part of the component's function names, and the conversions of the
# value that they return and take.
_OPTIONS = {
    (_TCP, _constant("TCP_NODELAY", 1)): ("no_delay", int, bool),
    (_TCP, _constant("TCP_KEEPIDLE", 4)): ("keep_alive_idle_time", _seconds, _nanoseconds),
    (_TCP, _constant("TCP_KEEPINTVL", 5)): ("keep_alive_interval", _seconds, _nanoseconds),
    (_TCP, _constant("TCP_KEEPCNT", 6)): ("keep_alive_count", _same, _same),
    (socket.SOL_SOCKET, _constant("SO_KEEPALIVE", 9)): ("keep_alive", int, bool),
    (socket.SOL_SOCKET, _constant("SO_SNDBUF", 7)): ("send_buffer_size", _same, _same),
    (socket.SOL_SOCKET, _constant("SO_RCVBUF", 8)): ("receive_buffer_size", _same, _same),
}


class SocketOptions:
    """The options of a writer's socket."""

    def __init__(self, writer):
        self._writer = writer
        self._wit = None

    def get(self, level, option):
        name, from_wit, _ = _known(level, option)
        return from_wit(self._call(f"get_{name}"))

    def set(self, level, option, value):
        name, _, to_wit = _known(level, option)
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = int.from_bytes(bytes(value), "little", signed=True)
        value = operator.index(value)
        if not 0 <= value < 2**31:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._call(f"set_{name}", to_wit(value))

    def _call(self, name, *value):
        if self._wit is None:
            self._wit = self._writer.socket_options()
        try:
            return getattr(self._wit, name)(*value)
        except Err as error:
            raise code_error(error.value) from None


def _known(level, option):
    known = _OPTIONS.get((level, option))
    if known is None:
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
    return known

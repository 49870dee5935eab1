"""Arguments and addresses: Python's forms and the WIT's."""

import errno
import operator
import os
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from wit_world.imports import asyncio_streams_types as wit

DEFAULT_LIMIT = 2**16

# The socket module of the build lacks these: wasi-libc's value, and Linux's.
AF_UNIX = getattr(socket, "AF_UNIX", 3)
SO_PEERCRED = getattr(socket, "SO_PEERCRED", 17)

# The longest path of a Unix socket on Linux.
_PATH = 107


def sockaddr(address):
    """Converts an address to the form of `getsockname`: two items for IPv4, four for IPv6."""
    match address:
        case wit.SocketAddress_Ipv4(ip):
            return str(IPv4Address(bytes(ip.address))), ip.port
        case wit.SocketAddress_Ipv6(ip):
            groups = b"".join(group.to_bytes(2, "big") for group in ip.address)
            return str(IPv6Address(groups)), ip.port, ip.flow_info, ip.scope_id
        case wit.SocketAddress_Unix(wit.UnixAddress_Path(path)):
            return path.decode(errors="surrogateescape")
        case wit.SocketAddress_Unix(wit.UnixAddress_Abstract(name)):
            return b"\0" + name
    return ""


_FAMILIES = {
    wit.SocketAddress_Ipv4: socket.AF_INET,
    wit.SocketAddress_Ipv6: socket.AF_INET6,
}


class TransportSocket:
    """Represents a socket, like asyncio's class of this name: its addresses and kind.
    The host owns the socket itself."""

    type = socket.SOCK_STREAM

    def __init__(self, sockname, peername=None, peercred=None, options=None):
        self.family = _FAMILIES.get(type(sockname), AF_UNIX)
        self.proto = 0 if self.family == AF_UNIX else getattr(socket, "IPPROTO_TCP", 6)
        self._sockname = sockaddr(sockname)
        self._peername = None if peername is None else sockaddr(peername)
        self._peercred = peercred
        # The options of a connection. Listeners and sockets without streams have none.
        self._options = options

    def getsockname(self):
        return self._sockname

    def getpeername(self):
        if self._peername is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._peername

    def getsockopt(self, level, option, buflen=0):
        """Returns an option of a connection's socket; with `buflen`, its bytes: SO_KEEPALIVE,
        SO_SNDBUF, SO_RCVBUF, TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, SO_TYPE,
        SO_ERROR, and SO_PEERCRED of a Unix socket. Every other option raises OSError."""
        if (level, option) == (socket.SOL_SOCKET, SO_PEERCRED) and self._peercred is not None:
            pid, uid, gid = self._peercred
            return struct.pack("=III", pid or 0, uid, gid)[:buflen] if buflen else pid or 0
        match level, option:
            case socket.SOL_SOCKET, socket.SO_TYPE:
                value = int(self.type)
            case socket.SOL_SOCKET, socket.SO_ERROR:
                value = 0
            case _ if self._options is not None:
                value = self._options.get(level, option)
            case _:
                raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        return struct.pack("=i", value)[:buflen] if buflen else value

    def setsockopt(self, level, option, value):
        """Sets an option of a connection's socket: those of `getsockopt` up to TCP_KEEPCNT."""
        if self._options is None:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        self._options.set(level, option, value)

    def __repr__(self):
        peer = "" if self._peername is None else f" raddr={self._peername!r}"
        return f"<TransportSocket laddr={self._sockname!r}{peer}>"


def text(name, value):
    """Returns a str of valid Unicode. Another str would trap in the call to the component."""
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    value.encode()
    return value


def host(value):
    return None if value is None else text("host", value)


def port(value):
    if value is None:
        return wit.Port_Number(0)
    if isinstance(value, (str, bytes)):
        return wit.Port_Service(text("port", value))
    value = operator.index(value)
    if not 0 <= value <= 65535:
        raise OverflowError(f"port must be 0-65535, not {value}")
    return wit.Port_Number(value)


def limit(value):
    if value is None:
        return DEFAULT_LIMIT
    value = operator.index(value)
    if value <= 0:
        raise ValueError("Limit cannot be <= 0")
    return min(value, 2**63)


def unix(path):
    """Makes the address of a Unix socket from a path, or from an abstract name after a
    null byte."""
    path = os.fspath(path)
    if isinstance(path, str):
        path = path.encode(errors="surrogateescape")
    abstract = path[:1] == b"\0"
    name = path[1:] if abstract else path
    if len(name) > _PATH:
        raise OSError("AF_UNIX path too long")
    try:
        # componentize-py 0.25 never frees bytes that are arguments.
        return wit.UnixAddress_Text(path.decode())
    except UnicodeDecodeError:
        address = wit.UnixAddress_Abstract if abstract else wit.UnixAddress_Path
        return address(name)


def number(name, value):
    value = operator.index(value)
    if not 0 <= value < 2**32:
        raise ValueError(f"{name} must be 0 to 4294967295, not {value}")
    return value


def nanoseconds(name, value):
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return int(min(value * 1e9, 2**63))


def family(value):
    """Converts a family; None means both."""
    match value:
        case None | 0:
            return None
        case socket.AF_INET:
            return wit.IpAddressFamily.IPV4
        case socket.AF_INET6:
            return wit.IpAddressFamily.IPV6
    raise ValueError(f"family must be 0, socket.AF_INET or socket.AF_INET6, not {value!r}")


# The usual value of each flag that the socket module of the build lacks.
_FLAGS = {
    getattr(socket, "AI_PASSIVE", 0x1): wit.LookupFlags.PASSIVE,
    getattr(socket, "AI_NUMERICHOST", 0x4): wit.LookupFlags.NUMERIC_HOST,
    getattr(socket, "AI_ADDRCONFIG", 0x20): wit.LookupFlags.ADDRCONFIG,
    getattr(socket, "AI_NUMERICSERV", 0x400): wit.LookupFlags.NUMERIC_SERVICE,
}


def flags(value):
    value = operator.index(value)
    result = wit.LookupFlags(0)
    for flag, ours in _FLAGS.items():
        if value & flag:
            result |= ours
            value &= ~flag
    if value:
        raise ValueError(f"flags {value:#x} are not supported")
    return result

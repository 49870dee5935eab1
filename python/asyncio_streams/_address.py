"""Arguments and addresses: Python's forms and the WIT's."""

import operator
import socket
from ipaddress import IPv4Address, IPv6Address

from wit_world.imports import asyncio_streams_types as wit

DEFAULT_LIMIT = 2**16


def sockaddr(address):
    """What `getsockname` gives: a pair for IPv4, four for IPv6."""
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


def host(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("ascii")
    raise TypeError(f"host must be str, bytes or None, not {type(value).__name__}")


def port(value):
    if value is None:
        return wit.Port_Number(0)
    if isinstance(value, bytes):
        value = value.decode("ascii")
    if isinstance(value, str):
        return wit.Port_Service(value)
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
    return value


def no_sock(sock, host, port):
    """Refuses `sock`: with a host or port as CPython does, else as missing."""
    if sock is None:
        return
    if host is not None or port is not None:
        raise ValueError("host/port and sock can not be specified at the same time")
    raise NotImplementedError("sock: a component has no socket to give")


def number(name, value):
    value = operator.index(value)
    if not 0 <= value < 2**32:
        raise ValueError(f"{name} must be 0 to 4294967295, not {value}")
    return value


def nanoseconds(name, value):
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return int(value * 1e9)


def family(value):
    """None for both."""
    match value:
        case None | 0:
            return None
        case socket.AF_INET:
            return wit.IpAddressFamily.IPV4
        case socket.AF_INET6:
            return wit.IpAddressFamily.IPV6
    raise ValueError(f"family must be 0, socket.AF_INET or socket.AF_INET6, not {value!r}")


# Where the socket module of the build lacks a flag, the usual value.
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

"""Looking names up, for `loop.getaddrinfo`."""

import socket

from componentize_py_types import Err
from wit_world.imports import streams as wit

from . import _address, _loop
from ._errors import connect_error

_TCP = getattr(socket, "IPPROTO_TCP", 6)


async def getaddrinfo(host, port, *, family=0, type=0, proto=0, flags=0):
    """asyncio's `loop.getaddrinfo`. It returns the addresses for streams; other kinds of
    sockets do not exist."""
    if type not in (0, socket.SOCK_STREAM) or proto not in (0, _TCP):
        number = getattr(socket, "EAI_SOCKTYPE", -7)
        raise socket.gaierror(number, "ai_socktype not supported")
    if host is None and port is None:
        number = getattr(socket, "EAI_NONAME", -2)
        raise socket.gaierror(number, "Name or service not known")
    options, canceller = wit.ConnectOptions(), wit.Canceller()
    options.set_canceller(canceller)
    if (family := _address.family(family)) is not None:
        options.set_family(family)
    if flags:
        options.set_flags(_address.flags(flags))
    looking = wit.getaddrinfo(_address.host(host), _address.port(port), options)
    try:
        found = await _loop.call(looking, cancel=canceller.cancel)
    except Err as error:
        raise connect_error(error.value) from None
    return [_entry(address) for address in found]


def _entry(address):
    kind = _address.TransportSocket(address)
    return kind.family, kind.type, kind.proto, "", kind.getsockname()

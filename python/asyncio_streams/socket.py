"""The standard library's `socket`, and the parts of it that a component lacks.

Added are `socketpair`, for Unix sockets; the constants `AF_UNIX` and `SO_PEERCRED`;
and `listeners` and `listener` for the host's inherited listeners. These sockets are
for `sock=`. They do not block.
"""

import socket as _socket
from socket import *

from ._address import AF_UNIX, SO_PEERCRED
from ._sockets import Socket, listener, listeners, socketpair

__all__ = [
    *_socket.__all__,
    "AF_UNIX",
    "SO_PEERCRED",
    "Socket",
    "listener",
    "listeners",
    "socketpair",
]

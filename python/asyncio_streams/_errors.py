"""The errors of the WIT as Python's exceptions."""

import asyncio
import errno
import os
import socket

from wit_world.imports import asyncio_streams_types as wit

from ._address import sockaddr
from ._tls_errors import handshake_error, session_error

_ERRNO = {
    wit.ErrorCode_AccessDenied: errno.EACCES,
    wit.ErrorCode_NotSupported: errno.EOPNOTSUPP,
    wit.ErrorCode_InvalidArgument: errno.EINVAL,
    wit.ErrorCode_OutOfMemory: errno.ENOMEM,
    wit.ErrorCode_Timeout: errno.ETIMEDOUT,
    wit.ErrorCode_InvalidState: errno.ENOTCONN,
    wit.ErrorCode_AddressNotBindable: errno.EADDRNOTAVAIL,
    wit.ErrorCode_AddressInUse: errno.EADDRINUSE,
    wit.ErrorCode_RemoteUnreachable: errno.EHOSTUNREACH,
    wit.ErrorCode_ConnectionRefused: errno.ECONNREFUSED,
    wit.ErrorCode_ConnectionBroken: errno.EPIPE,
    wit.ErrorCode_ConnectionReset: errno.ECONNRESET,
    wit.ErrorCode_ConnectionAborted: errno.ECONNABORTED,
    wit.ErrorCode_NotFound: errno.ENOENT,
    wit.ErrorCode_NotASocket: errno.ENOTSOCK,
}

# A process listens at the path, or another kind of file is there.
_IN_USE = (wit.ErrorCode_AddressInUse, wit.ErrorCode_NotASocket)

_EAI = {
    wit.LookupErrorCode_InvalidArgument: ("EAI_NONAME", -2, "neither a name nor an address"),
    wit.LookupErrorCode_WrongFamily: (
        "EAI_ADDRFAMILY",
        -9,
        "Address family for hostname not supported",
    ),
    wit.LookupErrorCode_NameUnresolvable: ("EAI_NONAME", -2, "Name or service not known"),
    wit.LookupErrorCode_UnknownService: ("EAI_SERVICE", -8, "No such service"),
    wit.LookupErrorCode_TemporaryResolverFailure: (
        "EAI_AGAIN",
        -3,
        "Temporary failure in name resolution",
    ),
    wit.LookupErrorCode_PermanentResolverFailure: (
        "EAI_FAIL",
        -4,
        "Non-recoverable failure in name resolution",
    ),
}


def code_error(code, about=None):
    """Converts an error code to an OSError. Python chooses the subclass by errno."""
    if isinstance(code, wit.ErrorCode_Tls):
        return session_error(code.value)
    number = _ERRNO.get(type(code))
    if number is None:
        text = code.value or "unknown error"
        return OSError(f"{about}: {text}" if about else text)
    return OSError(number, f"{about}: {os.strerror(number)}" if about else os.strerror(number))


def listener_error(code, name):
    """The error of taking the host's listener of that name."""
    match code:
        case wit.ErrorCode_AccessDenied():
            text = f"the host has no listener {name!r}; listeners() returns the names it has"
            return PermissionError(errno.EACCES, text)
        case wit.ErrorCode_InvalidState():
            return OSError(errno.EADDRINUSE, f"all listeners {name!r} are taken")
    return code_error(code, f"the listener {name!r}")


def lookup_error(failure):
    if isinstance(failure.code, wit.LookupErrorCode_AccessDenied):
        text = f"looking up {failure.name!r}: {os.strerror(errno.EACCES)}"
        return PermissionError(errno.EACCES, text)
    if isinstance(failure.code, wit.LookupErrorCode_Other):
        name, number, text = "EAI_FAIL", -4, failure.code.value or "unknown error"
    else:
        name, number, text = _EAI[type(failure.code)]
    return socket.gaierror(getattr(socket, name, number), f"{text}: {failure.name!r}")


def attempt_error(attempt):
    about = f"Connect call failed {sockaddr(attempt.address)!r}"
    if attempt.local_address is not None:
        about += f" from {sockaddr(attempt.local_address)!r}"
    if isinstance(attempt.code, wit.ErrorCode_NotASocket):
        # The error that the kernel reports.
        return ConnectionRefusedError(errno.ECONNREFUSED, f"{about}: not a socket")
    return code_error(attempt.code, about)


def connect_error(error, all_errors=False, session=None):
    """Converts the error of opening a connection. `session` is the requested TLS."""
    match error:
        case wit.ConnectError_InvalidArgument(text):
            return ValueError(text)
        case wit.ConnectError_NotSupported(text):
            return NotImplementedError(text)
        case wit.ConnectError_Lookup(failure):
            return lookup_error(failure)
        case wit.ConnectError_Timeout():
            return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        case wit.ConnectError_Tls(error):
            return handshake_error(error, session and session.handshake_timeout)
    errors = [attempt_error(attempt) for attempt in error.value]
    if all_errors:
        return ExceptionGroup("open_connection failed", errors)
    if len(errors) == 1:
        result = errors[0]
    else:
        text = "Multiple exceptions: " + ", ".join(str(error) for error in errors)
        numbers = {error.errno for error in errors}
        number = numbers.pop() if len(numbers) == 1 else None
        result = OSError(text) if number is None else OSError(number, text)
    # The error of each attempt, which the text alone would hide.
    result.exceptions = errors
    return result


def listen_error(error):
    match error:
        case wit.ListenError_InvalidArgument(text):
            return ValueError(text)
        case wit.ListenError_NotSupported(text):
            return NotImplementedError(text)
        case wit.ListenError_Lookup(failure):
            return lookup_error(failure)
        case wit.ListenError_Tls(error):
            return session_error(error)
        case wit.ListenError_Closed():
            return RuntimeError("the server is closed")
    attempt = error.value
    address = sockaddr(attempt.address)
    if isinstance(attempt.address, wit.SocketAddress_Unix) and isinstance(attempt.code, _IN_USE):
        return OSError(errno.EADDRINUSE, f"Address {address!r} is already in use")
    return code_error(attempt.code, f"error while attempting to bind on address {address!r}")


def server_error(error):
    match error:
        case wit.ServerError_Listen(error):
            return listen_error(error)
        case wit.ServerError_Busy():
            return RuntimeError("the server is already being awaited")
    return RuntimeError("the server is closed")


def write_error(error):
    match error:
        case wit.WriteError_Closed():
            return RuntimeError("Cannot call write() after close()")
        case wit.WriteError_EofWritten():
            return RuntimeError("Cannot call write() after write_eof()")
        case wit.WriteError_InvalidArgument(text):
            return ValueError(text)
        case wit.WriteError_BufferFull(size):
            return BufferError(f"{size} bytes already wait to be sent; call drain() first")
        case wit.WriteError_Aborted():
            return ConnectionAbortedError(errno.ECONNABORTED, "abort() discarded the data")
    return code_error(error.value)


def drain_error(error):
    if isinstance(error, wit.WriteError_Closed):
        return ConnectionResetError("Connection lost")
    return write_error(error)


def read_error(error):
    match error:
        case wit.ReadError_LimitOverrun(overrun):
            text = "Separator is not found, and chunk exceed the limit"
            if overrun.found:
                text = "Separator is found, but chunk is longer than limit"
            return asyncio.LimitOverrunError(text, overrun.consumed)
        case wit.ReadError_Incomplete(read):
            return asyncio.IncompleteReadError(read.partial, read.expected)
        case wit.ReadError_Truncated(read):
            error = code_error(read.code)
            # The bytes that had arrived, as IncompleteReadError has them.
            error.partial = read.partial
            return error
        case wit.ReadError_Connection(code):
            return code_error(code)
        case wit.ReadError_InvalidArgument(text):
            return ValueError(text)
    return RuntimeError("another read is waiting")


def failure(failure, session):
    """Returns a message and the error of a failure in a server. `session` is the
    server's TLS."""
    if isinstance(failure, wit.ServerFailure_Accept):
        return "socket.accept() out of system resource", code_error(failure.value)
    peer = failure.value.peer and sockaddr(failure.value.peer)
    error = handshake_error(failure.value.error, session and session.handshake_timeout)
    return f"SSL handshake with {peer!r} failed", error

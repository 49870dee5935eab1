"""Opening connections."""

from componentize_py_types import Err
from wit_world.imports import sockets
from wit_world.imports import streams as wit

from . import _address, _loop, _sockets, _tls
from ._errors import connect_error
from ._streams import Connection, StreamReader, StreamWriter


async def open_connection(
    host=None,
    port=None,
    *,
    limit=None,
    ssl=None,
    family=0,
    proto=0,
    flags=0,
    sock=None,
    local_addr=None,
    server_hostname=None,
    ssl_handshake_timeout=None,
    ssl_shutdown_timeout=None,
    happy_eyeballs_delay=None,
    interleave=None,
    all_errors=False,
    keep_alive=None,
    timeout=None,
):
    """asyncio's `open_connection`. `limit=None` is 64 KiB. `sock` is a socket of
    `asyncio_streams.socket`. `timeout` limits the whole call, in seconds, and raises
    TimeoutError.

    An OSError has `exceptions`, one for each address that was tried.
    """
    limit = _address.limit(limit)
    session = _tls.of_client(
        ssl, host, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout
    )
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        host, port = _address.host(host), _address.port(port)
    elif sock is None:
        raise ValueError("host and port was not specified and no sock specified")
    else:
        _sockets.of_streams(sock)
    options, canceller = _options(limit, session, timeout)
    if (family := _address.family(family)) is not None:
        options.set_family(family)
    if proto:
        options.set_proto(_address.number("proto", proto))
    if flags:
        options.set_flags(_address.flags(flags))
    if local_addr is not None:
        local_host, local_port = local_addr
        options.set_local_addr(_address.host(local_host), _address.port(local_port))
    if happy_eyeballs_delay is not None:
        options.set_happy_eyeballs_delay(
            _address.nanoseconds("happy_eyeballs_delay", happy_eyeballs_delay)
        )
    if interleave is not None:
        options.set_interleave(_address.number("interleave", interleave))
    if keep_alive is not None:
        options.set_keep_alive(bool(keep_alive))
    if sock is None:
        opening = wit.open_connection(host, port, options)
    else:
        opening = sockets.open_connection(sock._given(), options)
    return await _opened(opening, canceller, session, all_errors)


async def open_unix_connection(
    path=None,
    *,
    limit=None,
    ssl=None,
    sock=None,
    server_hostname=None,
    ssl_handshake_timeout=None,
    ssl_shutdown_timeout=None,
    timeout=None,
):
    """asyncio's `open_unix_connection`. `path` is absolute, or an abstract name after
    a null byte. The other arguments are as for `open_connection`."""
    limit = _address.limit(limit)
    session = _tls.of_client(
        ssl,
        None,
        server_hostname,
        ssl_handshake_timeout,
        ssl_shutdown_timeout,
        nameless="you have to pass server_hostname when using ssl",
    )
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        address = _address.unix(path)
    elif sock is None:
        raise ValueError("no path and sock were specified")
    else:
        _sockets.of_unix_streams(sock)
    options, canceller = _options(limit, session, timeout)
    if sock is None:
        opening = wit.open_unix_connection(address, options)
    else:
        opening = sockets.open_connection(sock._given(), options)
    return await _opened(opening, canceller, session)


def _options(limit, session, timeout):
    options, canceller = wit.ConnectOptions(), wit.Canceller()
    options.set_limit(limit)
    options.set_canceller(canceller)
    if timeout is not None:
        options.set_timeout(_address.nanoseconds("timeout", timeout))
    if session is not None:
        session.set(options)
    return options, canceller


async def _opened(opening, canceller, session, all_errors=False):
    try:
        pair = await _loop.call(
            opening, late=lambda pair: pair[1].abort(), cancel=canceller.cancel
        )
    except Err as error:
        raise connect_error(error.value, all_errors, session) from None
    connection = Connection(*pair, session)
    return StreamReader(connection), StreamWriter(connection)

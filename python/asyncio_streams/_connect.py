"""Opening connections."""

from componentize_py_types import Err
from wit_world.imports import streams as wit

from . import _address, _loop, _tls
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
    timeout=None,
):
    """asyncio's `open_connection`; `limit=None` is 64 KiB, and `timeout` in
    seconds is for the whole of it: TimeoutError.

    An OSError has `exceptions`: one for each address that was tried.
    Cancelled, it closes the connection once it is made: the call itself cannot
    be cancelled in componentize-py 0.25.
    """
    limit = _address.limit(limit)
    session = _tls.of_client(
        ssl, host, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout
    )
    _address.no_sock(sock, host, port)
    if host is None and port is None:
        raise ValueError("host and port was not specified and no sock specified")
    options = wit.ConnectOptions()
    options.set_limit(limit)
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
    if timeout is not None:
        options.set_timeout(_address.nanoseconds("timeout", timeout))
    if session is not None:
        session.set(options)
    opening = wit.open_connection(_address.host(host), _address.port(port), options)
    try:
        pair = await _loop.call(opening, late=lambda pair: pair[1].abort())
    except Err as error:
        raise connect_error(error.value, all_errors, session) from None
    connection = Connection(*pair, session)
    return StreamReader(connection), StreamWriter(connection)


async def open_unix_connection(*args, **kwargs):
    """Not yet: the streams component has no Unix sockets."""
    raise NotImplementedError("Unix sockets are not supported")

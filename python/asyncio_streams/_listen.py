"""Starting servers."""

from componentize_py_types import Err
from wit_world.imports import server as wit
from wit_world.imports import sockets
from wit_world.imports import streams as wit_streams

from . import _address, _loop, _sockets, _tls
from ._errors import listen_error
from ._server import Server


async def start_server(
    client_connected_cb,
    host=None,
    port=None,
    *,
    limit=None,
    family=0,
    flags=None,
    sock=None,
    backlog=100,
    ssl=None,
    reuse_address=None,
    reuse_port=None,
    keep_alive=None,
    ssl_handshake_timeout=None,
    ssl_shutdown_timeout=None,
    max_ssl_handshakes=None,
    idle_timeout=None,
    connection_timeout=None,
    start_serving=True,
):
    """asyncio's `start_server`. `limit=None` is 64 KiB. `sock` is a listener of
    `asyncio_streams.socket`.

    A connection that neither receives nor sends a byte for `idle_timeout` seconds, or that
    is open for `connection_timeout` seconds, is lost with `TimeoutError`.

    If the callback fails, the failure is reported and its connection closed. When it
    returns, the connection is closed unless the program still holds its reader or
    writer.
    """
    limit = _address.limit(limit)
    session = _tls.of_server(
        ssl, ssl_handshake_timeout, ssl_shutdown_timeout, max_ssl_handshakes
    )
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        hosts, port = _hosts(host), _address.port(port)
    elif sock is None:
        raise ValueError("Neither host/port nor sock were specified")
    else:
        _sockets.of_streams(sock)
    options, canceller = _options(
        client_connected_cb, limit, backlog, session, start_serving
    )
    _limit_times(options, idle_timeout, connection_timeout)
    if (family := _address.family(family)) is not None:
        options.set_family(family)
    if flags is not None:
        options.set_flags(_address.flags(flags))
    for value, set_value in (
        (reuse_address, options.set_reuse_address),
        (reuse_port, options.set_reuse_port),
        (keep_alive, options.set_keep_alive),
    ):
        if value is not None:
            set_value(bool(value))
    if sock is None:
        starting = wit.start_server(hosts, port, options)
    else:
        starting = sockets.start_server(sock._given(), options)
    return await _started(starting, canceller, client_connected_cb, session, start_serving)


async def start_unix_server(
    client_connected_cb,
    path=None,
    *,
    limit=None,
    sock=None,
    backlog=100,
    ssl=None,
    ssl_handshake_timeout=None,
    ssl_shutdown_timeout=None,
    max_ssl_handshakes=None,
    idle_timeout=None,
    connection_timeout=None,
    start_serving=True,
    cleanup_socket=True,
):
    """asyncio's `start_unix_server`. `path` is absolute, or an abstract name after a
    null byte. The other arguments are as for `start_server`.

    The host replaces the file of a socket at which no process listens any more. At
    the close the server removes its own file, unless `cleanup_socket` is false.
    """
    limit = _address.limit(limit)
    session = _tls.of_server(
        ssl, ssl_handshake_timeout, ssl_shutdown_timeout, max_ssl_handshakes
    )
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        address = _address.unix(path)
    elif sock is None:
        raise ValueError("path was not specified, and no sock specified")
    else:
        _sockets.of_unix_streams(sock)
    options, canceller = _options(
        client_connected_cb, limit, backlog, session, start_serving
    )
    _limit_times(options, idle_timeout, connection_timeout)
    options.set_cleanup_socket(bool(cleanup_socket))
    if sock is None:
        starting = wit.start_unix_server(address, options)
    else:
        starting = sockets.start_server(sock._given(), options)
    return await _started(starting, canceller, client_connected_cb, session, start_serving)


def _hosts(host):
    """Returns a list of hosts, or None for all interfaces."""
    if host is None or isinstance(host, (str, bytes)):
        hosts = [host] if host else None
    else:
        hosts = list(host)
        if not hosts:
            raise ValueError("host: the list is empty; None means all interfaces")
    return hosts and [_address.host(host) or "" for host in hosts]


def _options(callback, limit, backlog, session, start_serving):
    if not callable(callback):
        raise TypeError(f"client_connected_cb must be callable, not {callback!r}")
    options, canceller = wit.ServerOptions(), wit_streams.Canceller()
    options.set_canceller(canceller)
    options.set_limit(limit)
    options.set_backlog(_address.number("backlog", backlog))
    options.set_start_serving(bool(start_serving))
    if session is not None:
        session.set(options)
    return options, canceller


def _limit_times(options, idle, connection):
    for name, value, set_value in (
        ("idle_timeout", idle, options.set_idle_timeout),
        ("connection_timeout", connection, options.set_connection_timeout),
    ):
        if value is not None:
            if not value > 0:
                raise ValueError(f"{name} should be a positive number, got {value}")
            set_value(_address.nanoseconds(name, value))


async def _started(starting, canceller, callback, session, serving):
    try:
        server = await _loop.call(
            starting, late=lambda server: server.close(), cancel=canceller.cancel
        )
    except Err as error:
        raise listen_error(error.value) from None
    server = Server(server, callback, session)
    if serving:
        server._accept()
    return server

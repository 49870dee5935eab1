"""The TLS of one connection: the requested settings, and the session's details."""

# The encodings that the host's name look-ups and CPython's `ssl` use for names. A
# module that is not imported when the component is made cannot be imported later.
import encodings.idna  # noqa: F401
import encodings.punycode  # noqa: F401

from . import _certificate
from ._address import nanoseconds, number, text
from .ssl import CERT_NONE, SSLContext, create_default_context

# The default of the streams component.
_HANDSHAKE_TIMEOUT = 60.0

_default = None


class Session:
    """A context and the arguments that belong to it."""

    def __init__(
        self, context, server_side, server_hostname, handshake_timeout, shutdown_timeout
    ):
        self.handshake_timeout = _HANDSHAKE_TIMEOUT
        if handshake_timeout is not None:
            self.handshake_timeout = handshake_timeout
        self.timeouts = [
            None if value is None else _timeout(name, value)
            for name, value in (
                ("ssl_handshake_timeout", handshake_timeout),
                ("ssl_shutdown_timeout", shutdown_timeout),
            )
        ]
        self.context = context
        self.component = context._component(server_side)
        self.server_side = server_side
        self.server_hostname = None if server_side else _encoded(server_hostname)
        # Kept, since later changes of the context do not apply to this session.
        self.verified = context.verify_mode != CERT_NONE
        self._named = context.check_hostname or context.verify_mode == CERT_NONE
        # The most handshakes of a server that are under way.
        self.max_handshakes = None

    def set(self, options):
        """Sets the options of a connection or a server that is about to be opened."""
        options.set_ssl(self.component)
        if not self.server_side:
            options.set_server_hostname(self.name)
        handshake, shutdown = self.timeouts
        if handshake is not None:
            options.set_ssl_handshake_timeout(handshake)
        if shutdown is not None:
            options.set_ssl_shutdown_timeout(shutdown)
        if self.max_handshakes is not None:
            options.set_max_ssl_handshakes(self.max_handshakes)

    @property
    def name(self):
        """The server's name for the streams component. Empty if only the chain is
        checked. If nothing is checked, the name is still sent to the server (SNI)."""
        if self.server_side:
            return None
        return (self.server_hostname or "") if self._named else ""


def of_client(
    ssl,
    host,
    server_hostname,
    handshake_timeout,
    shutdown_timeout,
    nameless="You must set server_hostname when using ssl without a host",
):
    """Returns the session that `open_connection` asks for; None without TLS."""
    if not ssl and server_hostname is not None:
        raise ValueError("server_hostname is only meaningful with ssl")
    if ssl and server_hostname is None:
        if not host:
            raise ValueError(nameless)
        server_hostname = host
    if not ssl:
        _no_timeouts(handshake_timeout, shutdown_timeout)
        return None
    if ssl is True:
        ssl = _default_context()
    elif not isinstance(ssl, SSLContext):
        raise TypeError("ssl argument must be an SSLContext, a bool or None")
    return Session(ssl, False, server_hostname, handshake_timeout, shutdown_timeout)


def of_server(ssl, handshake_timeout, shutdown_timeout, max_handshakes):
    """Returns the session that `start_server` asks for; None without TLS."""
    if ssl is None:
        _no_timeouts(handshake_timeout, shutdown_timeout)
        if max_handshakes is not None:
            raise ValueError("max_ssl_handshakes is only meaningful with ssl")
        return None
    if not isinstance(ssl, SSLContext):
        raise TypeError("ssl argument must be an SSLContext or None")
    session = Session(ssl, True, None, handshake_timeout, shutdown_timeout)
    if max_handshakes is not None:
        session.max_handshakes = number("max_ssl_handshakes", max_handshakes)
        if session.max_handshakes == 0:
            raise ValueError("max_ssl_handshakes should be a positive number, got 0")
    return session


def of_start_tls(context, server_side, server_hostname, handshake_timeout, shutdown_timeout):
    if not isinstance(context, SSLContext):
        raise TypeError(
            f"sslcontext is expected to be an instance of ssl.SSLContext, got {context!r}"
        )
    if not server_side and server_hostname is None and context.check_hostname:
        raise ValueError("start_tls needs server_hostname: the context checks it")
    return Session(context, server_side, server_hostname, handshake_timeout, shutdown_timeout)


def _default_context():
    """Returns one context for all connections, so that sessions can be resumed."""
    global _default
    if _default is None:
        _default = create_default_context()
    return _default


def _no_timeouts(handshake_timeout, shutdown_timeout):
    if handshake_timeout is not None:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown_timeout is not None:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")


def _timeout(name, value):
    if value <= 0:
        raise ValueError(f"{name} should be a positive number, got {value}")
    # At least 1: 0 would be refused.
    return max(nanoseconds(name, value), 1)


def _encoded(name):
    """Encodes a name in ASCII, as `ssl` does."""
    if name is None:
        return None
    name = text("server_hostname", name)
    if "\0" in name:
        raise TypeError("server_hostname must be without null characters")
    return name if name.isascii() else name.encode("idna").decode("ascii")


# The names of TLS details in the component's `get-extra-info`.
_COMPONENT = ("server_hostname", "version", "cipher", "cipher_bits", "alpn_protocol", "peercert")

# The names of TLS details in `get_extra_info`.
DETAILS = ("ssl_object", "sslcontext", "peercert", "cipher", "compression")


def detail(name, ssl_object, default):
    """Returns a detail. As in CPython, it is None, not the default, if the session has none."""
    match ssl_object, name:
        case None, _:
            return default
        case _, "ssl_object":
            return ssl_object
        case _, "sslcontext":
            return ssl_object.context
        case _, "peercert":
            return ssl_object.getpeercert()
    return getattr(ssl_object, name)()


class SSLObject:
    """The details of a session: the standard library's `ssl.SSLObject` without the
    methods that would change it."""

    def __init__(self, writer, session):
        self._wit = writer
        self._session = session
        # The details, once another session runs inside this one.
        self._kept = None

    def _keep(self):
        """Keeps the details: the connection will tell those of a session inside."""
        if self._kept is None:
            self._kept = {name: self._get(name) for name in _COMPONENT}

    @property
    def context(self):
        return self._session.context

    @property
    def server_side(self):
        return self._session.server_side

    @property
    def server_hostname(self):
        """The name that the client asked for. Unlike in CPython, servers have it too."""
        return self._session.server_hostname or self._get("server_hostname")

    def version(self):
        """Returns the version, such as `TLSv1.3`."""
        return self._get("version")

    def cipher(self):
        """Returns the cipher's name, the version and the bits of the key."""
        name = self._get("cipher")
        return None if name is None else (name, self.version(), self._get("cipher_bits"))

    def selected_alpn_protocol(self):
        return self._get("alpn_protocol")

    def selected_npn_protocol(self):
        """Returns None: the protocol is obsolete."""

    def compression(self):
        """Returns None: TLS is never compressed."""

    def getpeercert(self, binary_form=False):
        """Returns the peer's certificate: empty if it was not checked, None if the peer
        sent none."""
        der = self._get("peercert")
        if der is None or binary_form:
            return der
        return _certificate.decode(der) if self._session.verified else {}

    def _get(self, name):
        if self._kept is not None:
            return self._kept[name]
        info = self._wit.get_extra_info(name)
        return None if info is None else info.value

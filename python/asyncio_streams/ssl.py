"""The part of the standard library's `ssl` that streams use.

The host runs the TLS sessions and holds trusted roots and private keys. A context only
has the requested settings. It is a plain object until a connection uses it, so a
program may make it at a module's level.
"""

import enum
import operator
import os
import warnings

from wit_world.imports import ssl as wit

from . import _certificate, _handover
from ._tls_errors import (
    CertificateError,
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLZeroReturnError,
)

HAS_SNI = HAS_ALPN = HAS_ECDH = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_NPN = HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = False
HAS_NEVER_CHECK_COMMON_NAME = True


class _SSLMethod(enum.IntEnum):
    PROTOCOL_TLS = 2
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17


class VerifyMode(enum.IntEnum):
    """The way the peer's certificate is requested and checked."""

    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class TLSVersion(enum.IntEnum):
    """Versions of TLS. Versions below 1.2 are never used."""

    MINIMUM_SUPPORTED = -2
    SSLv3 = 0x300
    TLSv1 = 0x301
    TLSv1_1 = 0x302
    TLSv1_2 = 0x303
    TLSv1_3 = 0x304
    MAXIMUM_SUPPORTED = -1


class Purpose(enum.Enum):
    """The kind of peer that a context checks, by its certificates' identifier."""

    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class Options(enum.IntFlag):
    """The options of a context that a program may set. All but the last describe how
    sessions are in any case."""

    OP_NO_SSLv2 = 0
    OP_NO_SSLv3 = 0x2000000
    OP_NO_TLSv1 = 0x4000000
    OP_NO_TLSv1_1 = 0x10000000
    OP_NO_COMPRESSION = 0x20000
    OP_NO_RENEGOTIATION = 0x40000000
    OP_IGNORE_UNEXPECTED_EOF = 0x80


PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = _SSLMethod
PROTOCOL_SSLv23 = PROTOCOL_TLS
CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = VerifyMode
globals().update(Options.__members__)

_ALWAYS = (
    Options.OP_NO_SSLv3
    | Options.OP_NO_TLSv1
    | Options.OP_NO_TLSv1_1
    | Options.OP_NO_COMPRESSION
    | Options.OP_NO_RENEGOTIATION
)

DER_cert_to_PEM_cert = _certificate.to_pem


def create_default_context(
    purpose=Purpose.SERVER_AUTH, *, cafile=None, capath=None, cadata=None
):
    """Makes a context for a client, or with `Purpose.CLIENT_AUTH` for a server. A server
    also needs `use_identity`."""
    if not isinstance(purpose, Purpose):
        raise TypeError(purpose)
    client = purpose is Purpose.SERVER_AUTH
    context = SSLContext(PROTOCOL_TLS_CLIENT if client else PROTOCOL_TLS_SERVER)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != CERT_NONE:
        context.load_default_certs(purpose)
    return context


class SSLContext:
    """The settings of sessions. Changes apply to connections and servers that are
    opened later."""

    def __init__(self, protocol=None):
        if protocol is None:
            text = "ssl.SSLContext() without protocol argument is deprecated."
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            protocol = PROTOCOL_TLS
        if protocol not in list(_SSLMethod):
            raise ValueError(f"invalid or unsupported protocol version {protocol!r}")
        self._protocol = _SSLMethod(protocol)
        self._check_hostname = protocol == PROTOCOL_TLS_CLIENT
        self._verify_mode = CERT_REQUIRED if self._check_hostname else CERT_NONE
        self._minimum_version = TLSVersion.TLSv1_2
        self._options = _ALWAYS
        self._alpn_protocols = []
        self._require_alpn = False
        self._identities = []
        # In DER, without duplicates and without the host's roots.
        self._roots = {}
        self._default_roots = False
        # The component's contexts; the key is true for a server.
        self._made = {}

    @property
    def protocol(self):
        """The end that the context is for."""
        return self._protocol

    @property
    def verify_mode(self):
        """The way the peer's certificate is requested and checked. CERT_NONE for a
        client needs the host's permission (`--allow-tls-unverified`)."""
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value):
        if value not in list(VerifyMode):
            raise ValueError("invalid value for verify_mode")
        if value == CERT_NONE and self._check_hostname:
            text = "Cannot set verify_mode to CERT_NONE when check_hostname is enabled."
            raise ValueError(text)
        self._verify_mode = VerifyMode(value)
        self._made.clear()

    @property
    def check_hostname(self):
        """True if the certificate has to be for the server's name. False with
        CERT_REQUIRED needs the host's permission too, and sends no name (SNI)."""
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value):
        self._check_hostname = bool(value)
        if value and self._verify_mode == CERT_NONE:
            self.verify_mode = CERT_REQUIRED

    @property
    def minimum_version(self):
        """The lowest version that is allowed, at least 1.2."""
        return self._minimum_version

    @minimum_version.setter
    def minimum_version(self, value):
        version = _version(value)
        self._minimum_version = (
            TLSVersion.TLSv1_3 if version is TLSVersion.MAXIMUM_SUPPORTED else version
        )
        self._made.clear()

    @property
    def maximum_version(self):
        """The latest version. It cannot be lowered."""
        return TLSVersion.MAXIMUM_SUPPORTED

    @maximum_version.setter
    def maximum_version(self, value):
        if _version(value) not in (TLSVersion.TLSv1_3, TLSVersion.MAXIMUM_SUPPORTED):
            raise NotImplementedError("maximum_version can only be the latest, TLS 1.3")

    @property
    def options(self):
        """The options. `OP_IGNORE_UNEXPECTED_EOF` takes the end of a connection for the
        end of its session. Other options describe how sessions are in any case."""
        return self._options

    @options.setter
    def options(self, value):
        value = operator.index(value)
        if unknown := value & ~(_ALWAYS | Options.OP_IGNORE_UNEXPECTED_EOF):
            raise NotImplementedError(f"these options cannot be set: {unknown:#x}")
        self._options = Options(value) | _ALWAYS
        self._made.clear()

    @property
    def require_alpn(self):
        """True if a handshake fails in which the ends agree on no application protocol.
        CPython has no such setting. A server accepts clients that offer none."""
        return self._require_alpn

    @require_alpn.setter
    def require_alpn(self, value):
        self._require_alpn = bool(value)
        self._made.clear()

    def set_alpn_protocols(self, alpn_protocols):
        """Sets the application protocols offered or accepted, best first."""
        protocols = [bytes(protocol, "ascii") for protocol in alpn_protocols]
        if not all(0 < len(protocol) < 256 for protocol in protocols):
            raise SSLError("ALPN protocols must be 1 to 255 in length")
        self._alpn_protocols = [protocol.decode("ascii") for protocol in protocols]
        self._made.clear()

    def load_default_certs(self, purpose=Purpose.SERVER_AUTH):
        """Trusts the roots of the host's policy, unless others are loaded."""
        if not isinstance(purpose, Purpose):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self):
        """Does the same as `load_default_certs`."""
        self._default_roots = True

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        """Trusts these roots too, and no longer the host's. For a client this needs the
        host's permission (`--allow-tls-guest-roots`). Files have to be files that the
        component can open."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        files = [] if cafile is None else [_path("cafile", cafile)]
        if capath is not None:
            folder = os.fsdecode(_path("capath", capath))
            files += sorted(os.path.join(folder, name) for name in os.listdir(folder))
        roots = [] if cadata is None else _certificates(cadata)
        for file in files:
            with open(file, "rb") as opened:
                roots += _parsed(_certificate.from_pem, opened.read())
        if not roots:
            raise SSLError(0, "no certificate found in cafile or capath")
        self._roots.update(dict.fromkeys(roots))
        self._made.clear()

    def use_identity(self, name):
        """Presents the certificate that the host knows by this name. A server may have
        several; the name that the client asks for selects one."""
        if not isinstance(name, str):
            raise TypeError(f"name must be str, not {type(name).__name__}")
        name.encode()
        self._identities.append(name)
        self._made.clear()

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        """Raises NotImplementedError: private keys stay with the host. See `use_identity`."""
        raise NotImplementedError(
            "load_cert_chain: private keys stay with the host; run the component with "
            "--tls-identity NAME=CERT.pem,KEY.pem and call use_identity('NAME')"
        )

    def _component(self, server_side):
        """Returns the streams component's context for that side."""
        wrong, side = (
            (PROTOCOL_TLS_CLIENT, "server") if server_side else (PROTOCOL_TLS_SERVER, "client")
        )
        if self._protocol is wrong:
            raise SSLError(0, f"Cannot create a {side} socket with a {wrong.name} context")
        if self._verify_mode != CERT_NONE and not (self._roots or self._default_roots):
            text = "no roots to check certificates with: call load_verify_locations() first"
            raise SSLError(0, text)
        if server_side and not self._identities:
            raise SSLError(0, "a server needs a certificate: call use_identity() first")
        if server_side not in self._made:
            self._made[server_side] = self._make(server_side)
        return self._made[server_side]

    def _make(self, server_side):
        context = wit.SslContext(wit.Side.SERVER if server_side else wit.Side.CLIENT)
        mode = self._verify_mode
        if mode == CERT_OPTIONAL and not server_side:
            mode = CERT_REQUIRED
        context.set_verify_mode(_MODES[mode])
        if self._minimum_version is TLSVersion.TLSv1_3:
            context.set_minimum_version(wit.TlsVersion.TLS13)
        if self._options & Options.OP_IGNORE_UNEXPECTED_EOF:
            context.set_ignore_unexpected_eof(True)
        if self._require_alpn:
            context.set_require_alpn(True)
        if self._alpn_protocols:
            context.set_alpn_protocols(self._alpn_protocols)
        if self._roots:
            roots = "".join(map(_certificate.to_pem, self._roots))
            _handover.load_verify_locations(context, roots.encode())
        for name in self._identities:
            context.use_identity(name)
        return context


_MODES = {
    CERT_NONE: wit.VerifyMode.NONE,
    CERT_OPTIONAL: wit.VerifyMode.OPTIONAL,
    CERT_REQUIRED: wit.VerifyMode.REQUIRED,
}


def _version(value):
    if value not in list(TLSVersion):
        raise ValueError(f"Unsupported TLS/SSL version {value:#x}")
    return TLSVersion(value)


def _path(name, value):
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} should be a valid filesystem path")
    return value


def _certificates(cadata):
    """Returns the certificates of PEM as text, or of DER as bytes."""
    if isinstance(cadata, str) and cadata.isascii():
        missing = "no start line"
        roots = _parsed(_certificate.from_pem, cadata.encode())
    elif isinstance(cadata, (bytes, bytearray, memoryview)):
        missing = "not enough data"
        roots = _parsed(_certificate.split, bytes(cadata))
    else:
        raise TypeError("cadata should be an ASCII string or a bytes-like object")
    if not cadata:
        raise ValueError("Empty certificate data")
    if not roots:
        raise SSLError(0, f"{missing}: cadata does not contain a certificate")
    return roots


def _parsed(parse, data):
    """Returns the certificates, or none if one of them cannot be read."""
    try:
        roots = parse(data)
    except ValueError:
        return []
    return roots if all(map(_certificate.decode, roots)) else []

"""TLS's exceptions, as the standard library's `ssl` has them."""

import errno
import os

from wit_world.imports import asyncio_streams_types as wit

# What OpenSSL has for errno.
_SSL, _ZERO_RETURN, _EOF = 1, 6, 8


class SSLError(OSError):
    """asyncio's `ssl.SSLError`: `reason` is OpenSSL's name for it, where it has
    one."""

    library = None
    reason = None

    def __str__(self):
        return self.strerror if isinstance(self.strerror, str) else super().__str__()


class SSLCertVerificationError(SSLError, ValueError):
    """The peer's certificate was refused: `verify_message` says why."""

    verify_code = None
    verify_message = None


class SSLEOFError(SSLError):
    """The connection ended, and the peer had not ended the session."""


class SSLZeroReturnError(SSLError):
    """The session was ended by the peer."""


CertificateError = SSLCertVerificationError

# As tracebacks and pickles name them.
for _kind in (SSLError, SSLCertVerificationError, SSLEOFError, SSLZeroReturnError):
    _kind.__module__ = f"{__package__}.ssl"

# OpenSSL's codes and words for what is wrong with a certificate.
_VERIFY = {
    wit.TlsError_WrongName: (62, "Hostname mismatch"),
    wit.TlsError_Expired: (10, "certificate has expired"),
    wit.TlsError_NotYetValid: (9, "certificate is not yet valid"),
    wit.TlsError_UnknownAuthority: (20, "unable to get local issuer certificate"),
    wit.TlsError_Revoked: (23, "certificate revoked"),
    wit.TlsError_BadCertificate: (1, "unusable certificate"),
}

# OpenSSL's names for alerts, by their numbers in the standard.
_ALERTS = {
    10: "SSLV3_ALERT_UNEXPECTED_MESSAGE",
    20: "SSLV3_ALERT_BAD_RECORD_MAC",
    22: "TLSV1_ALERT_RECORD_OVERFLOW",
    40: "SSLV3_ALERT_HANDSHAKE_FAILURE",
    42: "SSLV3_ALERT_BAD_CERTIFICATE",
    43: "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    44: "SSLV3_ALERT_CERTIFICATE_REVOKED",
    45: "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    46: "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    47: "SSLV3_ALERT_ILLEGAL_PARAMETER",
    48: "TLSV1_ALERT_UNKNOWN_CA",
    49: "TLSV1_ALERT_ACCESS_DENIED",
    50: "TLSV1_ALERT_DECODE_ERROR",
    51: "TLSV1_ALERT_DECRYPT_ERROR",
    70: "TLSV1_ALERT_PROTOCOL_VERSION",
    71: "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    80: "TLSV1_ALERT_INTERNAL_ERROR",
    86: "TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
    90: "TLSV1_ALERT_USER_CANCELLED",
    100: "TLSV1_ALERT_NO_RENEGOTIATION",
    109: "TLSV13_ALERT_MISSING_EXTENSION",
    110: "TLSV1_UNSUPPORTED_EXTENSION",
    112: "TLSV1_UNRECOGNIZED_NAME",
    113: "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE",
    115: "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY",
    116: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    120: "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
}


def handshake_error(error, limit):
    """The error of a failed handshake; `limit` is its time limit in seconds."""
    match error:
        case wit.TlsError_HandshakeTimeout():
            return ConnectionAbortedError(
                f"SSL handshake is taking longer than {limit} seconds: aborting the connection"
            )
        case wit.TlsError_UnexpectedEof():
            text = "the peer ended the connection in the TLS handshake"
            return ConnectionResetError(errno.ECONNRESET, text)
    return session_error(error)


def session_error(error):
    """The error of a failed session."""
    if type(error) in _VERIFY:
        return _verification_error(error)
    match error:
        case wit.TlsError_AccessDenied():
            text = f"{os.strerror(errno.EACCES)}: denied by the host's policy; its log names the flag"
            return PermissionError(errno.EACCES, text)
        case wit.TlsError_NotTls():
            return openssl_error("WRONG_VERSION_NUMBER")
        case wit.TlsError_NoCertificate():
            return openssl_error("PEER_DID_NOT_RETURN_A_CERTIFICATE")
        case wit.TlsError_Alert(number):
            return openssl_error(_ALERTS.get(number, f"ALERT_{number}"))
        case wit.TlsError_ShutdownTimeout():
            return TimeoutError("SSL shutdown timed out")
        case wit.TlsError_UnexpectedEof():
            return SSLEOFError(_EOF, "EOF occurred in violation of protocol")
        case wit.TlsError_UnexpectedData():
            text = "bytes that arrived before the TLS session do not belong to it"
            return SSLError(_SSL, text)
        case wit.TlsError_HandshakeTimeout():
            return ConnectionAbortedError("SSL handshake is taking too long")
    return SSLError(_SSL, error.value)


def openssl_error(reason):
    """Makes an error like OpenSSL's of this name."""
    error = SSLError(_SSL, f"[SSL: {reason}] {reason.lower().replace('_', ' ')}")
    error.library, error.reason = "SSL", reason
    return error


def _verification_error(refused):
    code, text = _VERIFY[type(refused)]
    if detail := getattr(refused, "value", None):
        text = f"{text}: {detail}"
    reason = "CERTIFICATE_VERIFY_FAILED"
    text_of_all = f"[SSL: {reason}] certificate verify failed: {text}"
    error = SSLCertVerificationError(_SSL, text_of_all)
    error.library, error.reason = "SSL", reason
    error.verify_code, error.verify_message = code, text
    return error

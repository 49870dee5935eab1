use std::io;

use crate::imports::asyncio_host::bindings::tls::{self as wit, ErrorCode};
use crate::sockets::stream;
use crate::tls::{Details, Side, TlsError, Verify, Version};

/// What the WIT calls an error of a session: one of TLS, or the connection's.
pub(super) fn code(error: io::Error) -> ErrorCode {
    TlsError::from(error).into()
}

impl From<TlsError> for ErrorCode {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Transport(error) => Self::Socket(stream::code(error)),
            TlsError::NotTls => Self::NotTls,
            TlsError::WrongName(names) => Self::WrongName(names),
            TlsError::Expired => Self::Expired,
            TlsError::NotYetValid => Self::NotYetValid,
            TlsError::UnknownAuthority => Self::UnknownAuthority,
            TlsError::Revoked => Self::Revoked,
            TlsError::BadCertificate(why) => Self::BadCertificate(why),
            TlsError::NoCertificate => Self::NoCertificate,
            TlsError::UnexpectedEof => Self::UnexpectedEof,
            TlsError::Alert(number) => Self::Alert(number),
            TlsError::Other(words) => Self::Other(words),
        }
    }
}

impl From<Details> for wit::Details {
    fn from(details: Details) -> Self {
        Self {
            version: details.version,
            cipher: details.cipher,
            cipher_bits: details.cipher_bits,
            alpn_protocol: details.alpn_protocol,
            server_hostname: details.server_hostname,
            peer_certificates: details.peer_certificates,
            resumed: details.resumed,
        }
    }
}

impl From<wit::Side> for Side {
    fn from(side: wit::Side) -> Self {
        match side {
            wit::Side::Client => Self::Client,
            wit::Side::Server => Self::Server,
        }
    }
}

impl From<wit::VerifyMode> for Verify {
    fn from(mode: wit::VerifyMode) -> Self {
        match mode {
            wit::VerifyMode::None => Self::None,
            wit::VerifyMode::Optional => Self::Optional,
            wit::VerifyMode::Required => Self::Required,
        }
    }
}

impl From<wit::Version> for Version {
    fn from(version: wit::Version) -> Self {
        match version {
            wit::Version::Tls12 => Self::Tls12,
            wit::Version::Tls13 => Self::Tls13,
        }
    }
}

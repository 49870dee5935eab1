use std::io;

use super::super::bindings::tls::{self as wit, ErrorCode};
use crate::sockets::stream;
use crate::tls::{Details, SessionError, Side, Verify, Version};

/// The WIT's error for an error of a session: of TLS or of the socket.
pub(super) fn code(error: io::Error) -> ErrorCode {
    SessionError::from(error).into()
}

impl From<SessionError> for ErrorCode {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Transport(error) => Self::Socket(stream::code(error)),
            SessionError::NotTls => Self::NotTls,
            SessionError::WrongName(names) => Self::WrongName(names),
            SessionError::Expired => Self::Expired,
            SessionError::NotYetValid => Self::NotYetValid,
            SessionError::UnknownAuthority => Self::UnknownAuthority,
            SessionError::Revoked => Self::Revoked,
            SessionError::BadCertificate(why) => Self::BadCertificate(why),
            SessionError::NoCertificate => Self::NoCertificate,
            SessionError::UnexpectedEof => Self::UnexpectedEof,
            SessionError::Alert(number) => Self::Alert(number),
            SessionError::Other(words) => Self::Other(words),
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

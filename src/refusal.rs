//! Refusals that several operations share.

use crate::address::Address;
use crate::error::{Attempt, ConnectError, ErrorCode, ListenError, LookupFailure, TlsError};

/// The reason why an operation was refused or failed, before it is known whether the
/// caller connects or listens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// An argument is wrong: which one, and why.
    InvalidArgument(String),
    /// This host, or this variant of the streams component, cannot do it.
    NotSupported(String),
    /// A name could not be looked up.
    Lookup(LookupFailure),
    /// An operation on the socket failed.
    Socket(ErrorCode),
    /// The TLS layer failed.
    #[cfg_attr(
        all(feature = "component", not(feature = "full")),
        expect(dead_code, reason = "the variant `tcp` has no TLS")
    )]
    Tls(TlsError),
}

impl Refusal {
    /// Returns the refusal for an operation of a Unix socket that failed with `code`.
    pub(crate) fn of_unix_socket(code: ErrorCode) -> Refusal {
        match code {
            ErrorCode::NotSupported => Refusal::NotSupported(
                "Unix sockets need a host that has them, and the variant `full` of the streams \
                 component"
                    .into(),
            ),
            code => Refusal::Socket(code),
        }
    }

    /// Returns the error for a caller that connects to `peer`.
    pub(crate) fn connecting(self, peer: Option<Address>) -> ConnectError {
        match self {
            Refusal::InvalidArgument(why) => ConnectError::InvalidArgument(why),
            Refusal::NotSupported(why) => ConnectError::NotSupported(why),
            Refusal::Lookup(failure) => ConnectError::Lookup(failure),
            Refusal::Tls(error) => ConnectError::Tls(error),
            Refusal::Socket(code) => match peer {
                Some(address) => ConnectError::Failed(vec![attempt(address, code)]),
                None => ConnectError::Tls(Refusal::Socket(code).into_tls_error()),
            },
        }
    }

    /// Returns the error for a caller that listens on `address`.
    pub(crate) fn listening(self, address: Option<Address>) -> ListenError {
        match self {
            Refusal::InvalidArgument(why) => ListenError::InvalidArgument(why),
            Refusal::NotSupported(why) => ListenError::NotSupported(why),
            Refusal::Lookup(failure) => ListenError::Lookup(failure),
            Refusal::Tls(error) => ListenError::Tls(error),
            Refusal::Socket(code) => match address {
                Some(address) => ListenError::Failed(attempt(address, code)),
                None => ListenError::Tls(Refusal::Socket(code).into_tls_error()),
            },
        }
    }

    /// Returns the error with which a TLS handshake failed.
    pub(crate) fn into_tls_error(self) -> TlsError {
        match self {
            Refusal::Tls(error) => error,
            Refusal::Socket(code) => TlsError::Other(code.to_string()),
            Refusal::Lookup(failure) => TlsError::Other(failure.to_string()),
            Refusal::InvalidArgument(why) | Refusal::NotSupported(why) => TlsError::Other(why),
        }
    }

    /// Returns the code with which the connection fails.
    pub(crate) fn into_error_code(self) -> ErrorCode {
        match self {
            Refusal::Socket(code) => code,
            other => ErrorCode::Tls(other.into_tls_error()),
        }
    }
}

impl From<Refusal> for ConnectError {
    fn from(refusal: Refusal) -> ConnectError {
        refusal.connecting(None)
    }
}

impl From<Refusal> for ListenError {
    fn from(refusal: Refusal) -> ListenError {
        refusal.listening(None)
    }
}

fn attempt(address: Address, code: ErrorCode) -> Attempt {
    Attempt {
        address,
        local_address: None,
        code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_fails_under_tls_is_told_with_its_address_if_that_is_known() {
        let refusal = Refusal::Socket(ErrorCode::ConnectionReset);
        let peer: Address = "127.0.0.1:1"
            .parse::<std::net::SocketAddr>()
            .unwrap()
            .into();
        match refusal.clone().connecting(Some(peer.clone())) {
            ConnectError::Failed(attempts) => assert_eq!(attempts[0].address, peer),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            ConnectError::from(refusal),
            ConnectError::Tls(TlsError::Other(_))
        ));
    }
}

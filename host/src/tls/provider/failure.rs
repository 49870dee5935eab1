//! Errors of rustls as this crate's.

use std::io;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, Error};

use super::sniffed::SniffedTransport;
use super::verify::is_authority;
use crate::tls::session_error::SessionError;

/// The number of a certificate's names that are shown.
const SHOWN: usize = 8;

/// Converts the error of a handshake, which comes with its transport.
pub(super) fn of_handshake<T>(
    (error, transport): (io::Error, SniffedTransport<T>),
) -> SessionError {
    if transport.is_no_tls() {
        return SessionError::NotTls;
    }
    of_session(error)
}

/// Converts the error of a handshake or of a session.
pub(super) fn of_session(error: io::Error) -> SessionError {
    // The error of a session that carries this one has been converted already.
    let error = match error.downcast::<SessionError>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.downcast::<Error>() {
        Ok(error) => of_tls(error),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => SessionError::UnexpectedEof,
        Err(error) => SessionError::Transport(error),
    }
}

fn of_tls(error: Error) -> SessionError {
    if is_authority(&error) {
        return SessionError::BadCertificate(
            "it is an authority's (CA:TRUE), and not itself among the trusted roots".to_owned(),
        );
    }
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => SessionError::NoCertificate,
        Error::AlertReceived(alert) => SessionError::Alert(alert.into()),
        error => SessionError::Other(error.to_string()),
    }
}

fn of_certificate(error: CertificateError) -> SessionError {
    use CertificateError as E;
    let bad = |text: &str| SessionError::BadCertificate(text.to_owned());
    match error {
        E::Expired | E::ExpiredContext { .. } => SessionError::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => SessionError::NotYetValid,
        E::Revoked => SessionError::Revoked,
        E::UnknownIssuer => SessionError::UnknownAuthority,
        E::NotValidForNameContext {
            expected,
            presented,
        } => SessionError::WrongName(wrong_name(&expected, &presented)),
        E::NotValidForName => {
            SessionError::WrongName("the certificate is for other names".to_owned())
        }
        E::BadEncoding => bad("it cannot be parsed"),
        E::BadSignature => bad("it is not signed by the authority that it names"),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            bad("it is not meant for this end of a connection (extended key usage)")
        }
        error => SessionError::BadCertificate(error.to_string()),
    }
}

fn wrong_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    let names: Vec<&str> = presented
        .iter()
        .take(SHOWN)
        .map(|name| plain(name))
        .collect();
    let names = match (&names[..], presented.len().saturating_sub(SHOWN)) {
        ([], _) => "no name at all".to_owned(),
        (names, 0) => names.join(", "),
        (names, more) => format!("{} and {more} more", names.join(", ")),
    };
    format!("the certificate is for {names}, not for {expected}")
}

/// Returns `a.example` of `DnsName("a.example")`, as rustls shows names.
fn plain(shown: &str) -> &str {
    let inner = shown.split_once('(').map_or(shown, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

use std::io;

/// The reason why a session failed, or could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The transport failed.
    #[error(transparent)]
    Transport(io::Error),
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The certificate is for other names than the one asked for. The text has both.
    #[error("{0}")]
    WrongName(String),
    /// The certificate has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate's authority is not trusted.
    #[error("the certificate's authority is not trusted")]
    UnknownAuthority,
    /// The certificate was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// The certificate cannot be used for another reason.
    #[error("the certificate cannot be used: {0}")]
    BadCertificate(String),
    /// A certificate was required and the peer sent none.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The connection ended without the end of the session.
    #[error("the connection ended without the end of the session")]
    UnexpectedEof,
    /// The peer reported an error, by its number in the TLS standard.
    #[error("the peer sent alert {0}")]
    Alert(u8),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

/// The error of reading or writing a session: the TLS error inside, if there is one.
impl From<io::Error> for SessionError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Transport)
    }
}

/// The form in which a session reports its errors.
impl From<SessionError> for io::Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Transport(error) => error,
            SessionError::UnexpectedEof => Self::new(io::ErrorKind::UnexpectedEof, error),
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

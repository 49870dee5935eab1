//! The errors, one type per kind of operation.
//!
//! They carry data rather than text: the bytes read so far, the number of bytes that may be
//! skipped, the address and the error of each attempt. Each converts to [`std::io::Error`]
//! with a fitting kind.

use std::fmt;
use std::io;

use bytes::Bytes;

use crate::address::Address;

/// The reason why an operation on a socket failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The host's policy denies it, or the operating system does not permit it. The host's log
    /// says which, and names the rule that would allow it.
    #[error(
        "permission denied by the host's policy or by the operating system; the host's log says \
         which"
    )]
    AccessDenied,
    /// The host, or this variant of the streams component, cannot do it.
    #[error("not supported by this host")]
    NotSupported,
    /// The host refused an argument.
    #[error("invalid argument")]
    InvalidArgument,
    /// The host is out of memory or socket buffers.
    #[error("out of memory or socket buffers")]
    OutOfMemory,
    /// The peer did not answer in time.
    #[error("timed out")]
    Timeout,
    /// The socket is not in a state that permits it.
    #[error("the socket is not in a state that permits it")]
    InvalidState,
    /// The address does not belong to this machine.
    #[error("cannot assign requested address: it does not belong to this machine")]
    AddressNotBindable,
    /// Another socket uses the address, or no port is free.
    #[error("address already in use")]
    AddressInUse,
    /// There is no route to the peer.
    #[error("the peer cannot be reached")]
    RemoteUnreachable,
    /// No server listens at the peer's address.
    #[error("connection refused: no server listens there")]
    ConnectionRefused,
    /// The peer no longer reads what this end sends.
    #[error("broken pipe: the peer no longer reads")]
    ConnectionBroken,
    /// The peer reset the connection.
    #[error("connection reset by peer")]
    ConnectionReset,
    /// The connection was aborted on this side.
    #[error("connection aborted")]
    ConnectionAborted,
    /// The path does not exist.
    #[error("no such file or directory")]
    NotFound,
    /// The file at the path is not a socket.
    #[error("the file at that path is not a socket")]
    NotASocket,
    /// The TLS layer failed.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// Any other error, with the host's text if it gave one.
    #[error("{}", .0.as_deref().unwrap_or("the host gave no reason"))]
    Other(Option<String>),
}

/// The reason why the TLS layer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The host's policy denies what the context asks for. The host's log names the flag that
    /// would allow it.
    #[error("denied by the host's policy; the host's log names the flag that would allow it")]
    AccessDenied,
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// The certificate is for other names than the expected one.
    #[error("the peer's certificate is for another name: {0}")]
    WrongName(String),
    /// The certificate has expired.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the peer's certificate is not valid yet")]
    NotYetValid,
    /// The authority that issued the certificate is not trusted.
    #[error("the peer's certificate is from an authority that is not trusted")]
    UnknownAuthority,
    /// The certificate was revoked.
    #[error("the peer's certificate was revoked")]
    Revoked,
    /// The certificate cannot be used for another reason.
    #[error("the peer's certificate cannot be used: {0}")]
    BadCertificate(String),
    /// A certificate was required and the peer sent none.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// The handshake took longer than its time limit.
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// The peer did not end the session within the time limit.
    #[error("the peer did not end the session in time")]
    ShutdownTimeout,
    /// The connection ended before the peer ended the session: data may be missing.
    #[error("the connection ended before the session: data may be missing")]
    UnexpectedEof,
    /// The buffer held bytes that are not part of the session when TLS began. A machine
    /// between the two ends may have inserted them.
    #[error("bytes that arrived before the session are not part of it")]
    UnexpectedData,
    /// The peer sent an alert: its number in the TLS standard.
    #[error("the peer sent alert {0}")]
    Alert(u8),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

/// The reason why a name could not be looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupErrorCode {
    /// The host's policy denies looking the name up.
    #[error("denied by the host's policy; the host's log names the rule that would allow it")]
    AccessDenied,
    /// The text is neither a name nor an address.
    #[error("neither a name nor an address")]
    InvalidArgument,
    /// The host is an address of another family than the wanted one.
    #[error("an address of another family than the wanted one")]
    WrongFamily,
    /// The name does not exist, or has no address of the wanted family.
    #[error("name not known, or without an address of the wanted family")]
    NameUnresolvable,
    /// The service is unknown; a port's number is always known.
    #[error("no such service; give its port's number")]
    UnknownService,
    /// The resolver failed; trying later may help.
    #[error("temporary failure of the resolver; try again later")]
    TemporaryResolverFailure,
    /// The resolver failed for good.
    #[error("the resolver failed")]
    PermanentResolverFailure,
    /// Any other error, with the host's text if it gave one.
    #[error("{}", .0.as_deref().unwrap_or("the host gave no reason"))]
    Other(Option<String>),
}

/// A name that could not be looked up, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lookup of {name:?}: {code}")]
pub struct LookupFailure {
    /// The name as it was given.
    pub name: String,
    /// The reason.
    pub code: LookupErrorCode,
}

/// An address that was tried, and the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address.
    pub address: Address,
    /// The local address that was bound first, if the caller asked for one.
    pub local_address: Option<Address>,
    /// The error.
    pub code: ErrorCode,
}

/// The reason why a connection was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// An argument is wrong: which one, and why. Nothing was tried.
    #[error("{0}")]
    InvalidArgument(String),
    /// The host, or this variant of the streams component, cannot do it. Nothing was tried.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// The name of the host could not be looked up.
    #[error(transparent)]
    Lookup(#[from] LookupFailure),
    /// Every address failed. At least one entry, in the order of trying.
    #[error("connect to {}", Attempts(.0))]
    Failed(Vec<Attempt>),
    /// The time limit of the whole operation passed.
    #[error("connecting took longer than its limit")]
    Timeout,
    /// The connection was made and its TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(TlsError),
}

/// The reason why a server was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// An argument is wrong: which one, and why. Nothing was opened.
    #[error("{0}")]
    InvalidArgument(String),
    /// The host, or this variant of the streams component, cannot do it. Nothing was opened.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// The name of a host could not be looked up.
    #[error(transparent)]
    Lookup(#[from] LookupFailure),
    /// An address could not be bound or listened on. The sockets that were opened before are
    /// closed again.
    #[error("listen on {0}")]
    Failed(Attempt),
    /// The host cannot do what the TLS context asks for, or denies it. Nothing was opened.
    #[error("TLS: {0}")]
    Tls(TlsError),
    /// The server is closed.
    #[error("the server is closed")]
    Closed,
}

/// The reason why an operation of a server failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server is closed.
    #[error("the server is closed")]
    Closed,
    /// Another task already waits in the same method.
    #[error("another task already waits in serve_forever")]
    Busy,
    /// Listening failed.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// The reason why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Another read already waits on this reader.
    #[error("another read is already waiting for data on this reader")]
    Busy,
    /// An argument is wrong: which one, and why.
    #[error("{0}")]
    InvalidArgument(String),
    /// More bytes than the limit would have to be buffered. Nothing is consumed.
    #[error(
        "{}; raise the limit, or skip {consumed} bytes",
        if *found { "the separator comes after more bytes than the limit" }
        else { "no separator within the limit" }
    )]
    LimitOverrun {
        /// The number of leading bytes that certainly hold no separator.
        consumed: usize,
        /// True if the separator was found, after more bytes than the limit.
        found: bool,
    },
    /// The data ended first. The bytes are consumed.
    #[error("{} bytes read on a total of {} expected bytes", partial.len(), Expected(*expected))]
    Incomplete {
        /// The bytes that were left.
        partial: Bytes,
        /// The number of bytes the caller asked for; `None` for a separator.
        expected: Option<usize>,
    },
    /// The connection failed during a read to the end. The bytes are consumed.
    #[error("the connection failed after {} bytes: {code}", partial.len())]
    Truncated {
        /// The bytes that had arrived, at least one.
        partial: Bytes,
        /// The reason why the connection failed.
        code: ErrorCode,
    },
    /// The connection failed. Bytes received before stay readable.
    #[error(transparent)]
    Connection(ErrorCode),
}

/// The reason why a write failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The writer was closed.
    #[error("the writer is closed")]
    Closed,
    /// `write_eof` was called before.
    #[error("nothing can be written after write_eof")]
    EofWritten,
    /// An argument is wrong: which one, and why.
    #[error("{0}")]
    InvalidArgument(String),
    /// The hard limit of the write buffer is reached. Nothing was written.
    #[error("{waiting} written bytes are not sent yet; drain before writing more")]
    BufferFull {
        /// The number of bytes that wait to be sent.
        waiting: usize,
    },
    /// `abort` dropped the data.
    #[error("the connection was aborted and its data dropped")]
    Aborted,
    /// The connection failed.
    #[error(transparent)]
    Connection(ErrorCode),
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{attempt}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if let Some(local) = &self.local_address {
            write!(f, " from {local}")?;
        }
        write!(f, ": {}", self.code)
    }
}

struct Expected(Option<usize>);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(n) => write!(f, "{n}"),
            None => f.write_str("undefined"),
        }
    }
}

impl ErrorCode {
    /// Returns the fitting kind of [`std::io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind as Kind;
        match self {
            ErrorCode::AccessDenied => Kind::PermissionDenied,
            ErrorCode::NotSupported => Kind::Unsupported,
            ErrorCode::InvalidArgument => Kind::InvalidInput,
            ErrorCode::OutOfMemory => Kind::OutOfMemory,
            ErrorCode::Timeout => Kind::TimedOut,
            ErrorCode::InvalidState => Kind::NotConnected,
            ErrorCode::AddressNotBindable => Kind::AddrNotAvailable,
            ErrorCode::AddressInUse => Kind::AddrInUse,
            ErrorCode::RemoteUnreachable => Kind::HostUnreachable,
            ErrorCode::ConnectionRefused => Kind::ConnectionRefused,
            ErrorCode::ConnectionBroken => Kind::BrokenPipe,
            ErrorCode::ConnectionReset => Kind::ConnectionReset,
            ErrorCode::ConnectionAborted => Kind::ConnectionAborted,
            ErrorCode::NotFound => Kind::NotFound,
            ErrorCode::NotASocket => Kind::InvalidInput,
            ErrorCode::Tls(TlsError::AccessDenied) => Kind::PermissionDenied,
            ErrorCode::Tls(TlsError::UnexpectedEof) => Kind::UnexpectedEof,
            ErrorCode::Tls(TlsError::HandshakeTimeout | TlsError::ShutdownTimeout) => {
                Kind::TimedOut
            }
            ErrorCode::Tls(_) => Kind::InvalidData,
            ErrorCode::Other(_) => Kind::Other,
        }
    }
}

impl LookupErrorCode {
    fn kind(&self) -> io::ErrorKind {
        match self {
            LookupErrorCode::AccessDenied => io::ErrorKind::PermissionDenied,
            LookupErrorCode::InvalidArgument | LookupErrorCode::WrongFamily => {
                io::ErrorKind::InvalidInput
            }
            LookupErrorCode::NameUnresolvable | LookupErrorCode::UnknownService => {
                io::ErrorKind::NotFound
            }
            _ => io::ErrorKind::Other,
        }
    }
}

impl ConnectError {
    /// Returns the fitting kind of [`std::io::Error`]; that of the first attempt if there are
    /// several.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            ConnectError::InvalidArgument(_) => io::ErrorKind::InvalidInput,
            ConnectError::NotSupported(_) => io::ErrorKind::Unsupported,
            ConnectError::Lookup(failure) => failure.code.kind(),
            ConnectError::Failed(attempts) => attempts
                .first()
                .map_or(io::ErrorKind::Other, |attempt| attempt.code.kind()),
            ConnectError::Timeout => io::ErrorKind::TimedOut,
            ConnectError::Tls(error) => ErrorCode::Tls(error.clone()).kind(),
        }
    }
}

impl ListenError {
    /// Returns the fitting kind of [`std::io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            ListenError::InvalidArgument(_) => io::ErrorKind::InvalidInput,
            ListenError::NotSupported(_) => io::ErrorKind::Unsupported,
            ListenError::Lookup(failure) => failure.code.kind(),
            ListenError::Failed(attempt) => attempt.code.kind(),
            ListenError::Tls(error) => ErrorCode::Tls(error.clone()).kind(),
            ListenError::Closed => io::ErrorKind::NotConnected,
        }
    }
}

impl ServerError {
    /// Returns the fitting kind of [`std::io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            ServerError::Closed => io::ErrorKind::NotConnected,
            ServerError::Busy => io::ErrorKind::ResourceBusy,
            ServerError::Listen(error) => error.kind(),
        }
    }
}

impl ReadError {
    /// Returns the fitting kind of [`std::io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            ReadError::Busy => io::ErrorKind::ResourceBusy,
            ReadError::InvalidArgument(_) => io::ErrorKind::InvalidInput,
            ReadError::LimitOverrun { .. } => io::ErrorKind::InvalidData,
            ReadError::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            ReadError::Truncated { code, .. } | ReadError::Connection(code) => code.kind(),
        }
    }
}

impl WriteError {
    /// Returns the fitting kind of [`std::io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            WriteError::Closed | WriteError::EofWritten => io::ErrorKind::BrokenPipe,
            WriteError::InvalidArgument(_) => io::ErrorKind::InvalidInput,
            WriteError::BufferFull { .. } => io::ErrorKind::WouldBlock,
            WriteError::Aborted => io::ErrorKind::ConnectionAborted,
            WriteError::Connection(code) => code.kind(),
        }
    }
}

macro_rules! into_io_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for io::Error {
            fn from(error: $error) -> io::Error {
                io::Error::new(error.kind(), error)
            }
        })*
    };
}

into_io_error!(
    ErrorCode,
    ConnectError,
    ListenError,
    ServerError,
    ReadError,
    WriteError
);

impl ErrorCode {
    pub(crate) fn from_wasi(code: wasi::sockets::types::ErrorCode) -> ErrorCode {
        use wasi::sockets::types::ErrorCode as Wasi;
        match code {
            Wasi::AccessDenied => ErrorCode::AccessDenied,
            Wasi::NotSupported => ErrorCode::NotSupported,
            Wasi::InvalidArgument => ErrorCode::InvalidArgument,
            Wasi::OutOfMemory => ErrorCode::OutOfMemory,
            Wasi::Timeout => ErrorCode::Timeout,
            Wasi::InvalidState => ErrorCode::InvalidState,
            Wasi::AddressNotBindable => ErrorCode::AddressNotBindable,
            Wasi::AddressInUse => ErrorCode::AddressInUse,
            Wasi::RemoteUnreachable => ErrorCode::RemoteUnreachable,
            Wasi::ConnectionRefused => ErrorCode::ConnectionRefused,
            Wasi::ConnectionBroken => ErrorCode::ConnectionBroken,
            Wasi::ConnectionReset => ErrorCode::ConnectionReset,
            Wasi::ConnectionAborted => ErrorCode::ConnectionAborted,
            Wasi::DatagramTooLarge => ErrorCode::Other(Some("datagram too large".into())),
            Wasi::Other(words) => ErrorCode::Other(words),
        }
    }
}

#[cfg(feature = "bindings")]
impl From<wasi::sockets::types::ErrorCode> for ErrorCode {
    fn from(code: wasi::sockets::types::ErrorCode) -> ErrorCode {
        ErrorCode::from_wasi(code)
    }
}

impl LookupErrorCode {
    pub(crate) fn from_wasi(code: wasi::sockets::ip_name_lookup::ErrorCode) -> LookupErrorCode {
        use wasi::sockets::ip_name_lookup::ErrorCode as Wasi;
        match code {
            Wasi::AccessDenied => LookupErrorCode::AccessDenied,
            Wasi::InvalidArgument => LookupErrorCode::InvalidArgument,
            Wasi::NameUnresolvable => LookupErrorCode::NameUnresolvable,
            Wasi::TemporaryResolverFailure => LookupErrorCode::TemporaryResolverFailure,
            Wasi::PermanentResolverFailure => LookupErrorCode::PermanentResolverFailure,
            Wasi::Other(words) => LookupErrorCode::Other(words),
        }
    }
}

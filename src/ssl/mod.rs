//! TLS, in the words of Python's `ssl` module. Sessions are the host's; what is
//! here says what they are to be like, and puts connections on them.
//!
//! A build without `asyncio:host` (the streams component's variant `tcp`) has the
//! settings, and refuses to use them.

mod context;
mod object;
mod options;
#[cfg(any(not(feature = "component"), feature = "full"))]
mod session;

use std::rc::Rc;

use futures::future::LocalBoxFuture;

pub(crate) use self::context::Side;
pub use self::context::{SslContext, TlsVersion, VerifyMode};
pub use self::object::SslObject;
pub use self::options::TlsOptions;
pub(crate) use self::options::{Plan, Tls, Unusable};
use crate::connection::{Connection, Names};
use crate::error::{Attempt, ConnectError, ErrorCode, TlsError};
use crate::socket::host_socket::HostSocket;

/// A session whose handshake is done, to be a connection's.
pub(crate) struct Established {
    pub(crate) object: Rc<SslObject>,
    /// Moves the connection's bytes until it is closed.
    pub(crate) run: Box<dyn FnOnce(Rc<Connection>) -> LocalBoxFuture<'static, ()>>,
}

/// A handshake.
pub(crate) type Beginning = LocalBoxFuture<'static, Result<Established, NoSession>>;

type Begin = fn(Box<dyn HostSocket>, &[u8], &Plan) -> Result<Beginning, NoSession>;

/// What makes sessions. Where nothing takes the address of it, a program imports
/// nothing for TLS.
pub(crate) struct Maker {
    /// Whether the host can and will do what a context asks for.
    pub(crate) check: fn(&SslContext) -> Result<(), NoSession>,
    /// Begins a session on a socket, with what that has received already. The
    /// streams that the socket had are no more use, and may be dropped.
    pub(crate) begin: Begin,
}

/// None where there is no TLS. Inlined, it leaves nothing in a program that does
/// not ask.
#[inline]
pub(crate) fn maker() -> Option<&'static Maker> {
    #[cfg(any(not(feature = "component"), feature = "full"))]
    return Some(&session::MAKER);
    #[cfg(all(feature = "component", not(feature = "full")))]
    None
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoSession {
    /// A setting cannot be used: which, and why.
    Invalid(String),
    /// The connection failed.
    Connection(ErrorCode),
    /// The handshake failed.
    Tls(TlsError),
}

impl NoSession {
    /// As whoever connects to `names` is told.
    pub(crate) fn connecting(self, names: &Names) -> ConnectError {
        match (self, names.peer.clone()) {
            (NoSession::Invalid(why), _) => ConnectError::InvalidArgument(why),
            (NoSession::Tls(error), _) => ConnectError::Tls(error),
            (NoSession::Connection(code), Some(address)) => ConnectError::Failed(vec![Attempt {
                address,
                local_address: None,
                code,
            }]),
            (no_session, None) => ConnectError::Tls(no_session.error()),
        }
    }

    /// As a server tells it.
    pub(crate) fn error(self) -> TlsError {
        match self {
            NoSession::Invalid(why) => TlsError::Other(why),
            NoSession::Connection(code) => TlsError::Other(code.to_string()),
            NoSession::Tls(error) => error,
        }
    }

    /// As the connection fails that was to have it.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            NoSession::Connection(code) => code,
            other => ErrorCode::Tls(other.error()),
        }
    }
}

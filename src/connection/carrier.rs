//! The socket or session that carries a connection, for its options.

use std::rc::Rc;

use super::Connection;
use crate::error::ErrorCode;
use crate::socket::host_socket::HostSocket;
use crate::socket::options::HasOptions;
use crate::ssl::Session;

/// The carrier of a connection.
pub(super) enum Carrier {
    /// A stream of another kind, which has no socket.
    Other,
    /// A socket. TLS takes it, and so does the end of the connection.
    Socket(Box<dyn HostSocket>),
    /// A TLS session. The end of the connection leads out.
    Session(Rc<dyn HasOptions>),
    /// None: a handshake is under way, or the transport is gone.
    Gone,
}

impl Connection {
    /// Sets the socket that [`run_socket`](Self::run_socket) will use.
    pub(crate) fn set_socket(&self, socket: Box<dyn HostSocket>) {
        self.carrier.replace(Carrier::Socket(socket));
    }

    /// Sets the session that [`run_session`](Self::run_session) will use.
    pub(crate) fn set_session(&self, session: &Session) {
        self.set_ssl_object(session.object.clone());
        self.carrier
            .replace(Carrier::Session(session.options.clone()));
    }

    /// Takes the socket, if there is one.
    pub(super) fn take_carrier(&self) -> Carrier {
        self.carrier.replace(Carrier::Gone)
    }

    /// Calls `access` with the connection's socket.
    pub(crate) fn with_socket<T>(
        &self,
        access: impl FnOnce(&dyn HasOptions) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        match &*self.carrier.borrow() {
            Carrier::Other => Err(ErrorCode::NotSupported),
            Carrier::Socket(socket) => access(&**socket),
            Carrier::Session(session) => access(&**session),
            Carrier::Gone => Err(ErrorCode::InvalidState),
        }
    }
}

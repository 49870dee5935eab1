use std::sync::Arc;

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::{Connection, Lease};
use crate::StopHandle;

/// The connection of a socket, and what has become of its halves.
pub(crate) struct Connected {
    connection: Arc<Connection>,
    lease: Arc<Lease>,
    /// `receive` was called.
    receiving: bool,
    /// `send` was called.
    sending: bool,
}

impl Connected {
    pub(crate) fn new(connection: Connection, stop: &StopHandle) -> Connected {
        let connection = Arc::new(connection);
        stop.connected(&connection);
        Connected {
            lease: Arc::new(Lease::new(Arc::clone(&connection))),
            connection,
            receiving: false,
            sending: false,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What its receiving half works on, once.
    pub(crate) fn receive(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        match std::mem::replace(&mut self.receiving, true) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(Arc::clone(&self.lease)),
        }
    }

    /// What its sending half works on, once.
    pub(crate) fn send(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        match std::mem::replace(&mut self.sending, true) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(Arc::clone(&self.lease)),
        }
    }

    /// Whether a session can have the connection: both halves are open.
    pub(crate) fn check_session(&self) -> Result<(), ErrorCode> {
        match self.connection.is_open() {
            true => Ok(()),
            false => Err(ErrorCode::InvalidState),
        }
    }

    /// Takes the connection from the socket's streams, which end.
    pub(crate) fn detach(self) -> Arc<Connection> {
        self.lease.end();
        self.connection
    }
}

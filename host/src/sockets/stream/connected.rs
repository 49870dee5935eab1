use std::sync::Arc;

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::{Lease, StreamSocket, code};
use crate::StopHandle;

/// The connection of a socket, and what has become of its halves.
pub(crate) struct ConnectedSocket {
    connection: Arc<StreamSocket>,
    lease: Arc<Lease>,
    /// `receive` was called.
    receiving: bool,
    /// `send` was called.
    sending: bool,
}

impl ConnectedSocket {
    pub(crate) fn new(connection: StreamSocket, stop: &StopHandle) -> ConnectedSocket {
        let connection = Arc::new(connection);
        stop.connected(&connection);
        ConnectedSocket {
            lease: Arc::new(Lease::new(Arc::clone(&connection))),
            connection,
            receiving: false,
            sending: false,
        }
    }

    pub(crate) fn connection(&self) -> &StreamSocket {
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

    /// Sends what the system has room for, unless a stream sends.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> Result<usize, ErrorCode> {
        if self.sending {
            return Err(ErrorCode::InvalidState);
        }
        let sent = self.connection.send_now(bytes).map_err(code)?;
        self.connection.permit().stats().sent(sent);
        Ok(sent)
    }

    /// Receives what has come, unless a stream receives; none where nothing has,
    /// and nothing at the end.
    pub(crate) fn receive_now(&self, length: u64) -> Result<Option<Vec<u8>>, ErrorCode> {
        if self.receiving {
            return Err(ErrorCode::InvalidState);
        }
        let received = self.connection.receive_now(length).map_err(code)?;
        let count = received.as_ref().map_or(0, Vec::len);
        self.connection.permit().stats().received(count);
        Ok(received)
    }

    /// Whether a session can have the connection: both halves are open.
    pub(crate) fn check_session(&self) -> Result<(), ErrorCode> {
        match self.connection.is_open() {
            true => Ok(()),
            false => Err(ErrorCode::InvalidState),
        }
    }

    /// Takes the connection from the socket's streams, which end.
    pub(crate) fn detach(self) -> Arc<StreamSocket> {
        self.lease.end();
        self.connection
    }
}

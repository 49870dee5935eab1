//! Opening a connection on a transport that is ready.

use std::rc::{Rc, Weak};

use super::{Connection, Handle};
use crate::address::Names;
use crate::error::ConnectError;
use crate::refusal::Refusal;
use crate::runtime::executor;
use crate::socket::host_socket::HostSocket;
use crate::ssl::{Plan, Session};
use crate::{StreamReader, StreamWriter};

/// A transport that is ready and has no streams yet.
///
/// The client made it, or the server accepted it; with TLS the handshake is done.
/// Dropping it closes it.
pub(crate) struct PendingConnection {
    names: Names,
    transport: ReadyTransport,
}

enum ReadyTransport {
    Socket(Box<dyn HostSocket>),
    Tls(Session),
}

impl PendingConnection {
    /// Uses a connected socket without TLS.
    pub(crate) fn over_socket(socket: Box<dyn HostSocket>) -> PendingConnection {
        PendingConnection {
            names: socket.names(),
            transport: ReadyTransport::Socket(socket),
        }
    }

    /// Begins TLS on a connected socket and waits for the handshake.
    pub(crate) async fn over_tls(
        socket: Box<dyn HostSocket>,
        names: Names,
        plan: &Plan,
    ) -> Result<PendingConnection, Refusal> {
        let handshake = (plan.provider.begin)(Box::new(socket), &[], plan)?;
        Ok(PendingConnection {
            names,
            transport: ReadyTransport::Tls(handshake.await?),
        })
    }

    /// Begins TLS on a client's connected socket, if there is a plan for it.
    pub(crate) async fn connected(
        socket: Box<dyn HostSocket>,
        plan: Option<Plan>,
    ) -> Result<PendingConnection, ConnectError> {
        let Some(plan) = plan else {
            return Ok(PendingConnection::over_socket(socket));
        };
        let names = socket.names();
        let peer = names.peer.clone();
        let pending = PendingConnection::over_tls(socket, names, &plan).await;
        pending.map_err(|refusal| refusal.connecting(peer))
    }

    /// Opens the connection: starts its task and returns its reader and writer.
    ///
    /// `closed` runs once the connection is closed and its transport dropped.
    pub(crate) fn open(
        self,
        limit: usize,
        closed: impl FnOnce() + 'static,
    ) -> (StreamReader, StreamWriter, Weak<Connection>) {
        #[cfg(not(feature = "component"))]
        crate::program::let_connections_linger();
        let connection = Connection::new(limit, self.names);
        let weak = Rc::downgrade(&connection);
        let (reader, writer) = connection.handles();
        let session = match self.transport {
            ReadyTransport::Socket(socket) => {
                connection.permit_upgrade();
                connection.set_socket(socket);
                None
            }
            ReadyTransport::Tls(session) => {
                connection.set_session(&session);
                Some(session)
            }
        };
        executor::detach(async move {
            match session {
                None => connection.clone().run_socket().await,
                Some(session) => connection.clone().run_session(session).await,
            }
            connection.finished();
            closed();
        });
        (reader, writer, weak)
    }
}

impl Connection {
    /// Returns a reader and a writer of this connection.
    pub(crate) fn handles(self: &Rc<Self>) -> (StreamReader, StreamWriter) {
        (
            StreamReader::new(Handle::new(self)),
            StreamWriter::new(Handle::new(self)),
        )
    }
}

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

/// A way to the peer, and the names of its ends.
pub(crate) struct Link {
    names: Names,
    carrier: Carrier,
}

enum Carrier {
    Socket(Box<dyn HostSocket>),
    Tls(Session),
}

impl Link {
    /// Over a socket that is connected.
    pub(crate) fn plain(socket: Box<dyn HostSocket>) -> Link {
        Link {
            names: socket.names(),
            carrier: Carrier::Socket(socket),
        }
    }

    /// Over a session on such a socket.
    pub(crate) async fn tls(
        socket: Box<dyn HostSocket>,
        names: Names,
        plan: &Plan,
    ) -> Result<Link, Refusal> {
        let handshake = (plan.maker.begin)(socket, &[], plan)?;
        Ok(Link {
            names,
            carrier: Carrier::Tls(handshake.await?),
        })
    }

    /// As a client makes it.
    pub(crate) async fn client(
        socket: Box<dyn HostSocket>,
        plan: Option<Plan>,
    ) -> Result<Link, ConnectError> {
        let Some(plan) = plan else {
            return Ok(Link::plain(socket));
        };
        let names = socket.names();
        let peer = names.peer.clone();
        let link = Link::tls(socket, names, &plan).await;
        link.map_err(|refusal| refusal.connecting(peer))
    }

    /// The two halves of a connection over it.
    ///
    /// `closed` runs when the connection is closed and the socket is gone.
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
        match &self.carrier {
            Carrier::Socket(_) => connection.permit_upgrade(),
            Carrier::Tls(session) => connection.set_ssl_object(session.object.clone()),
        }
        executor::detach(async move {
            match self.carrier {
                Carrier::Socket(socket) => connection.clone().run_socket(socket).await,
                Carrier::Tls(session) => connection.clone().run_session(session).await,
            }
            connection.finished();
            closed();
        });
        (reader, writer, weak)
    }
}

impl Connection {
    /// A reader and a writer of this connection.
    pub(crate) fn handles(self: &Rc<Self>) -> (StreamReader, StreamWriter) {
        (
            StreamReader::new(Handle::new(self)),
            StreamWriter::new(Handle::new(self)),
        )
    }
}

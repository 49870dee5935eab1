//! Peers of the guest, by rustls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

use crate::support::PATIENCE;
use crate::support::authority::{Authority, Identity};

/// The peer's end of a session with a client.
pub(crate) type Served = StreamOwned<ServerConnection, TcpStream>;
/// The peer's end of a session with a server.
pub(crate) type Client = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and the certificate for `localhost` that it has issued.
pub(crate) struct Localhost {
    authority: Authority,
    identity: Identity,
}

impl Localhost {
    pub(crate) fn new() -> Localhost {
        let authority = Authority::new();
        let identity = authority.localhost();
        Localhost {
            authority,
            identity,
        }
    }

    /// Returns the file with the authority's own certificate.
    pub(crate) fn authority_file(&self) -> String {
        self.authority.roots()
    }

    /// Writes one file with the certificate for `localhost` and its key, and returns its
    /// path.
    pub(crate) fn identity_file(&self) -> String {
        self.identity.in_one_file()
    }

    /// Has the command trust the authority alone.
    pub(crate) fn roots_flag(&self) -> String {
        self.authority.roots_flag()
    }

    /// Gives the command the identity `server`, which is `localhost`.
    pub(crate) fn identity_flag(&self) -> String {
        format!("--tls-identity=server={}", self.identity_file())
    }

    fn server_config(&self) -> Arc<ServerConfig> {
        self.authority.server_config(&self.identity)
    }

    /// Makes the settings of a client that trusts the authority.
    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        self.authority.client_config()
    }

    /// Waits for one client, and calls `act` with the session.
    pub(crate) fn serve<T: Send + 'static>(
        &self,
        act: impl FnOnce(Served) -> T + Send + 'static,
    ) -> (String, JoinHandle<T>) {
        let config = self.server_config();
        accept(move |connection| act(served(config, connection)))
    }

    /// Serves on a connection that was accepted.
    pub(crate) fn served(&self, connection: TcpStream) -> Served {
        served(self.server_config(), patient(connection))
    }

    /// Begins a session with a server.
    pub(crate) fn connect(&self, address: SocketAddr) -> Client {
        self.connect_with(self.client_config(), address)
    }

    pub(crate) fn connect_with(&self, config: Arc<ClientConfig>, address: SocketAddr) -> Client {
        let connection = patient(TcpStream::connect(address).unwrap());
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(config, name).unwrap();
        StreamOwned::new(session, connection)
    }
}

fn served(config: Arc<ServerConfig>, connection: TcpStream) -> Served {
    let session = ServerConnection::new(config).unwrap();
    StreamOwned::new(session, connection)
}

/// Waits for one connection and calls `act` with it. Returns the port to connect to, and
/// the thread.
pub(crate) fn accept<T: Send + 'static>(
    act: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || act(patient(listener.accept().unwrap().0)));
    (port, peer)
}

fn patient(connection: TcpStream) -> TcpStream {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Sends back everything that the client sends, and then ends the session as well.
pub(crate) fn echo(mut session: Served) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match session.read(&mut bytes).unwrap() {
            0 => break,
            count => session.write_all(&bytes[..count]).unwrap(),
        }
    }
    session.conn.send_close_notify();
    session.flush().unwrap();
    // The client knows that the session has ended, and closes the connection.
    assert_eq!(session.sock.read(&mut bytes).unwrap(), 0);
}

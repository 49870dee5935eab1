//! A connection of the test: plain, or a session whose every step the test decides.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use socket2::Socket;

/// A connection. One thread may read while another one writes.
pub(crate) struct Wire {
    /// A TCP or a Unix socket.
    pub(crate) socket: Socket,
    session: Option<Mutex<Connection>>,
}

impl Wire {
    pub(crate) fn plain(socket: impl Into<Socket>) -> Wire {
        let socket = socket.into();
        Wire {
            socket,
            session: None,
        }
    }

    /// Completes the handshake as a client.
    pub(crate) fn client(
        socket: impl Into<Socket>,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Wire> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Wire::begin(socket.into(), session.into())
    }

    /// Completes the handshake as a server.
    pub(crate) fn server(socket: impl Into<Socket>, config: Arc<ServerConfig>) -> io::Result<Wire> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Wire::begin(socket.into(), session.into())
    }

    fn begin(socket: Socket, mut session: Connection) -> io::Result<Wire> {
        session.set_buffer_limit(None);
        while session.is_handshaking() || session.wants_write() {
            session.complete_io(&mut &socket)?;
        }
        let session = Some(Mutex::new(session));
        Ok(Wire { socket, session })
    }

    pub(crate) fn is_session(&self) -> bool {
        self.session.is_some()
    }

    /// Returns the certificate of the other end, in DER.
    pub(crate) fn peer_certificate(&self) -> Vec<u8> {
        let session = self.session().unwrap();
        session.peer_certificates().unwrap()[0].to_vec()
    }

    /// Returns the bytes as they are sent.
    pub(crate) fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let Some(mut session) = self.session() else {
            return bytes.to_vec();
        };
        session.writer().write_all(bytes).unwrap();
        outgoing(&mut session)
    }

    /// Returns the bytes that end this side's half of the session.
    pub(crate) fn seal_end(&self) -> Vec<u8> {
        let Some(mut session) = self.session() else {
            return Vec::new();
        };
        session.send_close_notify();
        outgoing(&mut session)
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        (&self.socket).write_all(&self.seal(bytes)).unwrap();
    }

    /// Ends this half of the session, and not of the connection.
    pub(crate) fn send_end(&self) {
        (&self.socket).write_all(&self.seal_end()).unwrap();
    }

    /// Ends this half of the connection, and not of the session.
    pub(crate) fn fin(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        self.socket.set_linger(linger).unwrap();
    }

    /// Waits until there is a byte to receive (1), or the end (0).
    pub(crate) fn peek(&self) -> io::Result<usize> {
        self.socket.peek(&mut [MaybeUninit::uninit()])
    }

    /// Reads everything until the end. The result says whether the session ended, or why
    /// it did not.
    pub(crate) fn rest(&self) -> (String, io::Result<()>) {
        let mut bytes = Vec::new();
        let mut wire = self;
        let ended = wire.read_to_end(&mut bytes);
        (String::from_utf8(bytes).unwrap(), ended.map(drop))
    }

    pub(crate) fn exactly(&self, count: usize) -> String {
        let mut bytes = vec![0; count];
        let mut wire = self;
        wire.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn session(&self) -> Option<MutexGuard<'_, Connection>> {
        self.session.as_ref().map(|session| session.lock().unwrap())
    }
}

/// Reads. An end of the connection without the end of the session is an error:
/// `UnexpectedEof`.
impl Read for &Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(mut session) = self.session() else {
                return (&self.socket).read(bytes);
            };
            match session.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            drop(session);
            // Lets other threads send meanwhile.
            self.peek()?;
            let Some(mut session) = self.session() else {
                continue;
            };
            session.read_tls(&mut &self.socket)?;
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

fn outgoing(session: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    bytes
}

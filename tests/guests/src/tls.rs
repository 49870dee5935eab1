//! Bindings of `asyncio:host` without the library between, and TLS sessions over them.

use futures::future::try_join;
use wasi::sockets::types::{
    ErrorCode as SocketError, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket,
};
use wasi::wit_stream;
use wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "asyncio:host/imports@0.1.0",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
        },
    });
}

pub use wasi::sockets::types::TcpSocket as Socket;

pub use bindings::asyncio::host::unix_sockets::UnixSocket;

pub use bindings::asyncio::host::tls::{
    Connection, Context, Details, ErrorCode, Side, Transport, VerifyMode, Version,
};

/// The result of a half.
pub type Outcome = Result<(), ErrorCode>;

/// Longer than anything takes.
pub const PATIENCE: u64 = seconds(60);

const ROOM: usize = 64 * 1024;

/// Converts seconds to the unit of the interface, nanoseconds.
pub const fn seconds(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

/// A session with both halves in use.
pub struct Session {
    /// The connection, which has to be kept while the halves are in use.
    pub connection: Connection,
    /// The negotiated details.
    pub details: Details,
    /// The received data.
    pub received: StreamReader<u8>,
    /// The result of receiving.
    pub receive: FutureReader<Outcome>,
    /// The data to send.
    pub to_send: StreamWriter<u8>,
    /// The result of sending.
    pub send: FutureReader<Outcome>,
}

impl Session {
    /// Does the handshake.
    pub async fn begin(connection: Connection) -> Result<Session, ErrorCode> {
        let details = connection.handshake(PATIENCE).await?;
        let (to_send, data) = wit_stream::new();
        let send = connection.send(data);
        let (received, receive) = connection.receive();
        Ok(Session {
            connection,
            details,
            received,
            receive,
            to_send,
            send,
        })
    }

    /// Writes all of the bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.to_send.write_all(bytes.to_vec()).await.is_empty()
    }

    /// Reads the next bytes. Returns none at the end.
    pub async fn read(&mut self) -> Vec<u8> {
        next(&mut self.received).await
    }

    /// Sends back all data until their end.
    pub async fn echo(&mut self) {
        loop {
            let bytes = self.read().await;
            if bytes.is_empty() || !self.write(&bytes).await {
                return;
            }
        }
    }

    /// Wraps the session in another one that has not begun.
    pub fn wrap(self, context: &Context, name: Option<&str>) -> Result<Connection, ErrorCode> {
        let wrapped = context.wrap_socket(Transport::Tls(self.connection), &[], name);
        // The host has taken the session from its streams.
        drop((self.received, self.receive, self.to_send, self.send));
        wrapped
    }

    /// Ends both halves. Returns the results of both halves, and of closing the session.
    pub async fn close(self) -> [Outcome; 3] {
        drop(self.to_send);
        let sent = self.send.await;
        drop(self.received);
        let closed = Connection::close(self.connection, PATIENCE).await;
        [self.receive.await, sent, closed]
    }
}

/// Reads the next bytes of a stream. Returns none at its end.
pub async fn next(stream: &mut StreamReader<u8>) -> Vec<u8> {
    match stream.read(Vec::with_capacity(ROOM)).await {
        (StreamResult::Complete(_), bytes) => bytes,
        _ => Vec::new(),
    }
}

/// Makes the context of a client that trusts the roots of the policy.
pub fn client() -> Context {
    Context::new(Side::Client)
}

/// Makes the context of a server with this identity.
pub fn server(identity: &str) -> Result<Context, ErrorCode> {
    let context = Context::new(Side::Server);
    context.use_identity(identity)?;
    Ok(context)
}

/// Wraps a socket in a session that has not begun.
pub fn wrap(
    context: &Context,
    socket: TcpSocket,
    name: Option<&str>,
) -> Result<Connection, ErrorCode> {
    context.wrap_socket(Transport::Tcp(socket), &[], name)
}

/// Creates a socket.
pub fn create() -> Result<TcpSocket, SocketError> {
    TcpSocket::create(IpAddressFamily::Ipv4)
}

/// Returns an address of 127.0.0.1.
pub fn local(port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, 1),
    })
}

/// Connects to a port of 127.0.0.1.
pub async fn connect(port: u16) -> Result<TcpSocket, SocketError> {
    let socket = create()?;
    socket.connect(local(port)).await?;
    Ok(socket)
}

/// A listener on a free port of 127.0.0.1.
pub struct Listener {
    _socket: TcpSocket,
    connections: StreamReader<TcpSocket>,
    /// The port that the kernel picked.
    pub port: u16,
}

impl Listener {
    /// Starts to listen.
    pub fn open() -> Result<Listener, SocketError> {
        let socket = create()?;
        socket.bind(local(0))?;
        let connections = socket.listen()?;
        let port = match socket.get_local_address()? {
            IpSocketAddress::Ipv4(address) => address.port,
            IpSocketAddress::Ipv6(address) => address.port,
        };
        Ok(Listener {
            _socket: socket,
            connections,
            port,
        })
    }

    /// Accepts the next connection.
    pub async fn accept(&mut self) -> Result<TcpSocket, SocketError> {
        let next = self.connections.next().await;
        next.ok_or(SocketError::ConnectionAborted)
    }

    /// Makes both ends of a connection, the accepted one first.
    pub async fn pair(&mut self) -> Result<(TcpSocket, TcpSocket), SocketError> {
        let port = self.port;
        try_join(self.accept(), connect(port)).await
    }

    /// Makes both ends of a session, the server first.
    pub async fn sessions(
        &mut self,
        server: &Context,
        client: &Context,
        name: &str,
    ) -> Result<(Session, Session), ErrorCode> {
        let (accepted, connected) = self.pair().await.map_err(ErrorCode::Socket)?;
        let accepted = wrap(server, accepted, None)?;
        let connected = wrap(client, connected, Some(name))?;
        try_join(Session::begin(accepted), Session::begin(connected)).await
    }
}

//! Sessions of `asyncio:host/tls`, without the library between.

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

pub use bindings::asyncio::host::tls::{
    Connection, Context, Details, ErrorCode, Side, Transport, VerifyMode, Version,
};

/// How a half has ended.
pub type Outcome = Result<(), ErrorCode>;

/// Longer than anything takes.
pub const PATIENCE: u64 = seconds(60);

const ROOM: usize = 64 * 1024;

/// As durations are counted.
pub const fn seconds(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

/// A session with both halves in use.
pub struct Session {
    /// What has to be kept.
    pub connection: Connection,
    /// Its details.
    pub details: Details,
    /// What comes.
    pub received: StreamReader<u8>,
    /// How that ended.
    pub receive: FutureReader<Outcome>,
    /// What goes.
    pub to_send: StreamWriter<u8>,
    /// How that ended.
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

    /// All of these have been taken.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.to_send.write_all(bytes.to_vec()).await.is_empty()
    }

    /// What is next; nothing at the end.
    pub async fn read(&mut self) -> Vec<u8> {
        next(&mut self.received).await
    }

    /// Sends back what comes, until its end.
    pub async fn echo(&mut self) {
        loop {
            let bytes = self.read().await;
            if bytes.is_empty() || !self.write(&bytes).await {
                return;
            }
        }
    }

    /// Ends both halves: how they were, and how the end was.
    pub async fn close(self) -> [Outcome; 3] {
        drop(self.to_send);
        let sent = self.send.await;
        drop(self.received);
        let closed = Connection::close(self.connection, PATIENCE).await;
        [self.receive.await, sent, closed]
    }
}

/// What is next in a stream; nothing at its end.
pub async fn next(stream: &mut StreamReader<u8>) -> Vec<u8> {
    match stream.read(Vec::with_capacity(ROOM)).await {
        (StreamResult::Complete(_), bytes) => bytes,
        _ => Vec::new(),
    }
}

/// Of a client that trusts what the policy trusts.
pub fn client() -> Context {
    Context::new(Side::Client)
}

/// Of a server with this identity.
pub fn server(identity: &str) -> Result<Context, ErrorCode> {
    let context = Context::new(Side::Server);
    context.use_identity(identity)?;
    Ok(context)
}

/// A session yet to begin.
pub fn wrap(
    context: &Context,
    socket: TcpSocket,
    name: Option<&str>,
) -> Result<Connection, ErrorCode> {
    context.wrap_socket(Transport::Tcp(socket), &[], name)
}

/// A new socket.
pub fn create() -> Result<TcpSocket, SocketError> {
    TcpSocket::create(IpAddressFamily::Ipv4)
}

/// On 127.0.0.1.
pub fn local(port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, 1),
    })
}

/// Connected to 127.0.0.1.
pub async fn connect(port: u16) -> Result<TcpSocket, SocketError> {
    let socket = create()?;
    socket.connect(local(port)).await?;
    Ok(socket)
}

/// Connections to a free port of 127.0.0.1.
pub struct Listener {
    _socket: TcpSocket,
    connections: StreamReader<TcpSocket>,
    /// The port.
    pub port: u16,
}

impl Listener {
    /// Listens.
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

    /// The next connection.
    pub async fn accept(&mut self) -> Result<TcpSocket, SocketError> {
        let next = self.connections.next().await;
        next.ok_or(SocketError::ConnectionAborted)
    }

    /// Both ends of a connection, the accepted one first.
    pub async fn pair(&mut self) -> Result<(TcpSocket, TcpSocket), SocketError> {
        let port = self.port;
        try_join(self.accept(), connect(port)).await
    }

    /// Both ends of a session, the server first.
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

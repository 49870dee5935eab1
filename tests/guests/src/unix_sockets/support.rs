//! Paths, sockets and connections for the checks.

use futures::future::try_join;
use wit_bindgen::{FutureReader, StreamReader};

use crate::checks::{ByteSocket, End, Failure};

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tests:unix-sockets;
            world unix-sockets {
                import asyncio:host/unix-sockets@0.1.0;
                import asyncio:host/tls@0.1.0;
            }
        ",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
        },
        generate_all,
    });
}

pub(super) use bindings::asyncio::host::tls;
pub(super) use bindings::asyncio::host::unix_sockets::{Address, ErrorCode, UnixSocket};
pub(super) use wasi::sockets::types::ErrorCode as SocketError;

/// The folder with the files of the test.
#[derive(Clone)]
pub(crate) struct Folder(pub(crate) String);

impl Folder {
    pub(super) fn at(&self, name: &str) -> Address {
        path(&format!("{}/{name}", self.0))
    }

    /// Makes a socket that is bound to this name.
    pub(super) fn bound(&self, name: &str) -> Result<UnixSocket, Failure> {
        let socket = UnixSocket::create()?;
        socket.bind(&self.at(name))?;
        Ok(socket)
    }

    /// Listens at this name.
    pub(super) fn listener(&self, name: &str) -> Result<Listener, Failure> {
        let socket = self.bound(name)?;
        let connections = socket.listen()?;
        let address = self.at(name);
        Ok(Listener {
            socket,
            connections,
            address,
        })
    }
}

/// A socket that listens.
pub(super) struct Listener {
    pub(super) socket: UnixSocket,
    pub(super) connections: StreamReader<UnixSocket>,
    pub(super) address: Address,
}

impl Listener {
    pub(super) async fn accept(&mut self) -> Result<UnixSocket, Failure> {
        let accepted = self.connections.next().await;
        accepted.ok_or_else(|| "it does not listen any more".into())
    }

    /// Makes a connection to it: the accepted socket, and the client.
    pub(super) async fn pair(&mut self) -> Result<(UnixSocket, UnixSocket), Failure> {
        let address = self.address.clone();
        let connected = async { connect(&address).await };
        try_join(self.accept(), connected).await
    }
}

impl ByteSocket for UnixSocket {
    fn send(&self, data: StreamReader<u8>) -> FutureReader<Result<(), SocketError>> {
        self.send(data)
    }

    fn receive(&self) -> (StreamReader<u8>, FutureReader<Result<(), SocketError>>) {
        self.receive()
    }
}

/// Makes both ends of a connection.
pub(super) fn pair() -> Result<(End<UnixSocket>, End<UnixSocket>), Failure> {
    let (one, other) = UnixSocket::pair()?;
    Ok((End::of(one), End::of(other)))
}

pub(super) async fn connect(address: &Address) -> Result<UnixSocket, Failure> {
    let socket = UnixSocket::create()?;
    socket.connect(address.clone()).await?;
    Ok(socket)
}

pub(super) fn path(path: &str) -> Address {
    Address::Path(path.as_bytes().to_vec())
}

/// Writes the address as text, to be compared.
pub(super) fn text(address: Address) -> String {
    match address {
        Address::Unnamed => "unnamed".to_owned(),
        Address::Path(path) => String::from_utf8_lossy(&path).into_owned(),
        Address::Abstract(name) => format!("@{}", String::from_utf8_lossy(&name)),
    }
}

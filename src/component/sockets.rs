//! The exports of `asyncio:streams/sockets`.

use super::Component;
use super::server::{Options as ServerOptions, Watched};
use super::streams::{Options as ConnectOptions, Pair, pair, size};
use super::wit::server::{Server as ServerHandle, ServerOptions as ServerOptionsHandle};
use super::wit::sockets::{Guest, GuestSocket, Socket as SocketHandle};
use super::wit::streams::ConnectOptions as ConnectOptionsHandle;
use super::wit::types as wit;
use crate::runtime::executor;
use crate::socket::{self, Socket};

impl Guest for Component {
    type Socket = Socket;

    fn socketpair() -> Result<(SocketHandle, SocketHandle), wit::ErrorCode> {
        let (one, other) = socket::socketpair()?;
        Ok((SocketHandle::new(one), SocketHandle::new(other)))
    }

    fn listeners() -> Vec<String> {
        socket::listeners()
    }

    fn listener(name: String) -> Result<SocketHandle, wit::ErrorCode> {
        Ok(SocketHandle::new(socket::listener(&name)?))
    }

    async fn open_connection(
        socket: SocketHandle,
        options: Option<ConnectOptionsHandle>,
    ) -> Result<Pair, wit::ConnectError> {
        executor::export(async {
            let (options, canceller) = ConnectOptions::take(options);
            let opening = async { Ok(pair(options.adopt(socket.into_inner::<Socket>()).await?)) };
            canceller
                .watch(opening, || wit::ConnectError::Timeout)
                .await
        })
        .await
    }

    async fn start_server(
        socket: SocketHandle,
        options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(Watched::start(
            ServerOptions::take(options),
            async |options| options.adopted(socket.into_inner()),
        ))
        .await
    }
}

impl GuestSocket for Socket {
    fn send(&self, data: Vec<u8>) -> Result<u64, wit::ErrorCode> {
        Ok(Socket::send(self, data)? as u64)
    }

    fn recv(&self, n: u64) -> Result<Option<Vec<u8>>, wit::ErrorCode> {
        Ok(Socket::recv(self, size(n))?)
    }

    fn sockname(&self) -> Option<wit::SocketAddress> {
        Socket::sockname(self).map(Into::into)
    }

    fn peername(&self) -> Option<wit::SocketAddress> {
        Socket::peername(self).map(Into::into)
    }
}

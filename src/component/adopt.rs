//! The exports of `asyncio:streams/adopt`.

use wasi::sockets::types::TcpSocket;

use super::Component;
use super::server::{Options as ServerOptions, Watched};
use super::streams::{Options as ConnectOptions, Pair, pair};
use super::wit::adopt::Guest;
use super::wit::server::{Server as ServerHandle, ServerOptions as ServerOptionsHandle};
use super::wit::streams::ConnectOptions as ConnectOptionsHandle;
use super::wit::types as wit;
use crate::runtime::executor;
use crate::socket::Socket;

impl Guest for Component {
    async fn open_connection(
        socket: TcpSocket,
        options: Option<ConnectOptionsHandle>,
    ) -> Result<Pair, wit::ConnectError> {
        executor::export(async {
            let (options, canceller) = ConnectOptions::take(options);
            let opening = async { Ok(pair(options.adopt(Socket(Box::new(socket))).await?)) };
            canceller
                .watch(opening, || wit::ConnectError::Timeout)
                .await
        })
        .await
    }

    async fn start_server(
        socket: TcpSocket,
        options: Option<ServerOptionsHandle>,
    ) -> Result<ServerHandle, wit::ListenError> {
        executor::export(Watched::start(
            ServerOptions::take(options),
            async |options| options.adopted(Socket(Box::new(socket))),
        ))
        .await
    }
}

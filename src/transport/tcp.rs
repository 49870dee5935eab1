//! TCP over `wasi:sockets`.

use std::net::SocketAddr;

use wasi::sockets::types::TcpSocket;
use wasi::wit_stream;
use wit_bindgen::rt::async_support::FutureReader;

use super::raw::{RawSink, RawSource};
use super::{Sink, Source};
use crate::address::{Family, from_wasi, to_wasi};
use crate::connection::Names;
use crate::error::ErrorCode;

/// The addresses of its ends.
pub(crate) fn names(socket: &TcpSocket) -> Names {
    let remote = socket.get_remote_address().ok();
    let local = socket.get_local_address().ok();
    Names {
        peer: remote.map(|address| from_wasi(address).into()),
        local: local.map(|address| from_wasi(address).into()),
    }
}

/// The streams of a socket that is connected.
pub(crate) fn split(socket: &TcpSocket) -> (impl Source + use<>, impl Sink + use<>) {
    let (received, end) = socket.receive();
    let (to_send, stream) = wit_stream::new();
    let sent = socket.send(stream);
    (
        RawSource::with_result(received, outcome(end)),
        RawSink::with_result(to_send, outcome(sent)),
    )
}

async fn outcome(
    result: FutureReader<Result<(), wasi::sockets::types::ErrorCode>>,
) -> Result<(), ErrorCode> {
    result.await.map_err(ErrorCode::from)
}

/// The local address of a socket that has one.
pub(crate) fn local_address(socket: &TcpSocket) -> Result<SocketAddr, ErrorCode> {
    Ok(from_wasi(socket.get_local_address()?))
}

/// A connected socket, or why there is none.
pub(crate) type Connected = Result<TcpSocket, ErrorCode>;

/// Makes a connection to `address`, from `local` if that is given.
///
/// Dropping the future closes the socket.
pub(crate) async fn connect(address: SocketAddr, local: Option<SocketAddr>) -> Connected {
    let socket = TcpSocket::create(Family::of(&address).into())?;
    if let Some(local) = local {
        socket.bind(to_wasi(local))?;
    }
    socket.connect(to_wasi(address)).await?;
    Ok(socket)
}

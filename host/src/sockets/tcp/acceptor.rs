use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket as Name};

use super::{Bound, TcpSocket};
use crate::StopHandle;
use crate::access::{HandedListener, Place};
use crate::sockets::stream::{Acceptor, refuse, reset_on_close};

/// A listening TCP socket.
pub(crate) struct TcpAcceptor {
    pub(super) listener: TcpListener,
    pub(super) family: IpAddressFamily,
    /// The host's, who goes on to have it.
    pub(super) handed: Option<HandedListener>,
}

impl Acceptor for TcpAcceptor {
    type Bound = Bound;
    type Connection = (TcpStream, SocketAddr);
    type Socket = TcpSocket;
    type Name = Name;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        self.listener.poll_accept(cx)
    }

    fn socket(
        &self,
        accepted: Result<Self::Connection, ErrorCode>,
        place: Place,
        stop: &StopHandle,
    ) -> TcpSocket {
        TcpSocket::accepted(self.family, accepted, place, stop)
    }

    fn turn_away((stream, _): &Self::Connection) {
        reset_on_close(stream);
    }

    fn close(&self) {
        if self.handed.is_none() {
            refuse(self);
        }
    }

    fn handed(&self) -> Option<&HandedListener> {
        self.handed.as_ref()
    }
}

impl AsFd for TcpAcceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

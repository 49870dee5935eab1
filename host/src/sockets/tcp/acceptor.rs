use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket as Name};

use super::{BoundTcp, TcpSocket};
use crate::StopHandle;
use crate::access::{InheritedListener, SocketPermit};
use crate::sockets::stream::{Acceptor, refuse, reset_on_close};

/// A listening TCP socket.
pub(crate) struct TcpAcceptor {
    pub(super) listener: TcpListener,
    pub(super) family: IpAddressFamily,
    /// The host's, who goes on to have it.
    pub(super) inherited: Option<InheritedListener>,
}

impl Acceptor for TcpAcceptor {
    type Bound = BoundTcp;
    type Accepted = (TcpStream, SocketAddr);
    type Socket = TcpSocket;
    type Name = Name;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Accepted>> {
        self.listener.poll_accept(cx)
    }

    fn socket(
        &self,
        accepted: Result<Self::Accepted, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> TcpSocket {
        TcpSocket::accepted(self.family, accepted, permit, stop)
    }

    fn turn_away((stream, _): &Self::Accepted) {
        reset_on_close(stream);
    }

    fn close(&self) {
        if self.inherited.is_none() {
            refuse(self);
        }
    }

    fn inherited(&self) -> Option<&InheritedListener> {
        self.inherited.as_ref()
    }
}

impl AsFd for TcpAcceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use super::{Tcp, TcpSocket};
use crate::access::{InheritedListener, SocketPermit};
use crate::sockets::shared::BoundSocket;
use crate::sockets::stop::StopHandle;
use crate::sockets::stream::{AcceptedOptions, Acceptor, State, refuse, reset_on_close, resume};

/// A bound TCP socket that guests can share.
pub(crate) struct BoundTcp {
    pub(super) fd: OwnedFd,
    pub(super) address: SocketAddr,
}

impl BoundSocket for BoundTcp {
    type Address = SocketAddr;

    const REOPENS: bool = true;

    fn address(&self) -> &SocketAddr {
        &self.address
    }
}

/// A listening TCP socket.
pub(crate) struct TcpAcceptor {
    listener: TcpListener,
    family: IpAddressFamily,
    /// The operator's listener that this is a descriptor of.
    inherited: Option<InheritedListener>,
    /// The options that the guest has set on it, for its connections.
    options: Option<Arc<AcceptedOptions>>,
}

impl TcpAcceptor {
    pub(super) fn new(
        state: State<Tcp>,
        family: IpAddressFamily,
        backlog: i32,
        options: Option<Arc<AcceptedOptions>>,
    ) -> io::Result<TcpAcceptor> {
        let (listener, inherited) = match state {
            State::Unused(socket) => (socket.listen(backlog.unsigned_abs())?, None),
            State::Inherited(fd, inherited) => {
                resume(&fd, backlog)?;
                let listener = TcpListener::from_std(fd.into())?;
                (listener, Some(inherited))
            }
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(TcpAcceptor {
            listener,
            family,
            inherited,
            options,
        })
    }
}

impl Acceptor for TcpAcceptor {
    type Bound = BoundTcp;
    type Accepted = (TcpStream, SocketAddr);
    type Socket = TcpSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Accepted>> {
        self.listener.poll_accept(cx)
    }

    fn socket(
        &self,
        accepted: Result<Self::Accepted, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> TcpSocket {
        if let (Some(options), Ok((stream, _))) = (&self.options, &accepted) {
            options.apply(stream, Some(self.family));
        }
        TcpSocket::accepted(self.family, accepted, permit, stop)
    }

    fn peer((_, peer): &Self::Accepted) -> Option<SocketAddr> {
        Some(*peer)
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

//! A listening socket of the system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use rustix::net::{Shutdown, shutdown};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::StopHandle;
use crate::access::{InheritedListener, SocketPermit};
use crate::sockets::shared_listeners::{BoundSocket, Share, SharedSocket};

/// What the system has for listening.
pub(crate) trait Acceptor: AsFd + Send + Sync + 'static {
    /// What it was before it listened.
    type Bound: BoundSocket;
    /// A connection, as the system hands it over.
    type Accepted: Send + 'static;
    /// What becomes of it in the guest's table.
    type Socket: Send + 'static;
    /// What the bindings call that.
    type Name: 'static;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Accepted>>;

    /// The guest's socket for a connection, or for the reason why there is none.
    fn socket(
        &self,
        accepted: Result<Self::Accepted, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> Self::Socket;

    /// The guest does not get this connection: closing it is to tell the peer so.
    fn turn_away(connection: &Self::Accepted);

    /// Refuses connections from now on. The descriptor belongs to the guest's
    /// socket, which ends with the stream of connections.
    fn close(&self);

    /// What it is a descriptor of, where the host, or whoever gave it to the host, has
    /// it as well.
    fn inherited(&self) -> Option<&InheritedListener>;
}

/// Has the system refuse connections. Linux does so until the descriptor is closed;
/// where it fails, they are refused from then on.
pub(crate) fn refuse(listener: impl AsFd) {
    let _ = shutdown(listener, Shutdown::Both);
}

/// Listens until it is closed or dropped.
pub(crate) struct Listener<A: Acceptor> {
    socket: A,
    /// The same socket, where other guests listen on it as well.
    shared: Option<Arc<SharedSocket<A::Bound>>>,
    first: bool,
    closed: AtomicBool,
    accepting: AtomicWaker,
}

/// A listener of any kind.
pub(crate) trait Listens: Send + Sync {
    /// Closes it from any thread, also while the guest computes. Connections
    /// that wait in the system's queue are reset, unless others listen on it.
    fn close(&self);
}

impl<A: Acceptor> Listener<A> {
    pub(crate) fn open(
        share: Option<&Share<A::Bound>>,
        listen: impl FnOnce() -> io::Result<A>,
    ) -> io::Result<Self> {
        let shared = share.map(|share| Arc::clone(share.socket()));
        let (socket, first) = match &shared {
            Some(shared) => shared.begin(listen)?,
            None => {
                let socket = listen()?;
                let first = socket.inherited().is_none_or(InheritedListener::begin);
                (socket, first)
            }
        };
        Ok(Self {
            socket,
            shared,
            first,
            closed: AtomicBool::new(false),
            accepting: AtomicWaker::new(),
        })
    }

    /// Whether no other guest listens on it already.
    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    /// Whether others may listen on it.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some() || self.socket.inherited().is_some()
    }

    fn end(&self) {
        match &self.shared {
            Some(shared) => shared.end(|| self.socket.close()),
            None => self.socket.close(),
        }
    }

    /// The next connection; none when it is closed.
    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<A::Accepted>>> {
        self.accepting.register(cx.waker());
        if self.is_closed() {
            return Poll::Ready(None);
        }
        self.socket.poll_accept(cx).map(|accepted| match accepted {
            // What is closed meanwhile fails.
            Err(_) if self.is_closed() => None,
            accepted => Some(accepted),
        })
    }

    pub(crate) fn acceptor(&self) -> &A {
        &self.socket
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl<A: Acceptor> Listens for Listener<A> {
    fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.end();
            self.accepting.wake();
        }
    }
}

impl<A: Acceptor> Drop for Listener<A> {
    fn drop(&mut self) {
        if self.shared.is_some() && !self.is_closed() {
            self.end();
        }
    }
}

impl<A: Acceptor> AsFd for Listener<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

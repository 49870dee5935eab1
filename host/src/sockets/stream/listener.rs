//! A listening socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::access::{InheritedListener, LoadShare, SocketPermit};
use crate::sockets::shared::{BoundSocket, Share, SharedSocket};
use crate::sockets::stop::{StopHandle, StopListening};

/// The part of a listener that differs between TCP and Unix sockets.
pub(crate) trait Acceptor: AsFd + Send + Sync + 'static {
    /// The socket before it listens.
    type Bound: BoundSocket;
    /// A connection, as the kernel returns it.
    type Accepted: Send + 'static;
    /// The guest's socket for a connection.
    type Socket: Send + 'static;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Accepted>>;

    /// Makes the guest's socket for a connection, or for the reason why there is none.
    fn socket(
        &self,
        accepted: Result<Self::Accepted, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> Self::Socket;

    /// Returns the address of the peer, if it has one.
    fn peer(connection: &Self::Accepted) -> Option<SocketAddr>;

    /// Prepares a connection that the guest does not get for being closed, so that
    /// the peer can tell.
    fn turn_away(connection: &Self::Accepted);

    /// Refuses connections from now on. The descriptor stays open with the guest's
    /// socket, which ends with the stream of connections.
    fn close(&self);

    /// The operator's listener that this is a descriptor of, if it is one.
    fn inherited(&self) -> Option<&InheritedListener>;
}

/// Has the kernel refuse connections. Linux does so until the descriptor is closed. If
/// `shutdown` fails, the kernel refuses them from the close on.
pub(crate) fn refuse(listener: impl AsFd) {
    let _ = shutdown(listener, Shutdown::Both);
}

/// Listens until it is closed or dropped.
pub(crate) struct Listener<A: Acceptor> {
    acceptor: A,
    /// The same socket, if other guests may listen on it too.
    shared: Option<Arc<SharedSocket<A::Bound>>>,
    /// No other guest listened on the socket before.
    first: bool,
    closed: AtomicBool,
    /// The stream of connections, while it waits.
    accepting: AtomicWaker,
    /// The guest's part in the connections, if other guests may listen too.
    load: Option<LoadShare>,
}

impl<A: Acceptor> Listener<A> {
    pub(crate) fn open(
        share: Option<&Share<A::Bound>>,
        listen: impl FnOnce() -> io::Result<A>,
    ) -> io::Result<Self> {
        let shared = share.map(|share| Arc::clone(share.socket()));
        let (acceptor, first) = match &shared {
            Some(shared) => shared.begin(listen)?,
            None => {
                let acceptor = listen()?;
                let first = acceptor.inherited().is_none_or(InheritedListener::begin);
                (acceptor, first)
            }
        };
        let load = match &shared {
            Some(shared) => Some(shared.load()),
            None => acceptor.inherited().map(InheritedListener::load),
        };
        let load = load.map(LoadShare::join);
        Ok(Self {
            load,
            acceptor,
            shared,
            first,
            closed: AtomicBool::new(false),
            accepting: AtomicWaker::new(),
        })
    }

    /// No other guest listened on the socket before.
    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    /// Other guests may listen on the socket too.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some() || self.acceptor.inherited().is_some()
    }

    fn end(&self) {
        match &self.shared {
            Some(shared) => shared.end(|| self.acceptor.close()),
            None => self.acceptor.close(),
        }
    }

    /// Waits for the next connection. Returns `None` once the listener is closed.
    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<A::Accepted>>> {
        // Registered before the check, so that a close in between wakes the task.
        self.accepting.register(cx.waker());
        if self.is_closed() {
            return Poll::Ready(None);
        }
        self.acceptor
            .poll_accept(cx)
            .map(|accepted| match accepted {
                // Closing makes accept(2) fail; that is not an error of the guest.
                Err(_) if self.is_closed() => None,
                accepted => Some(accepted),
            })
    }

    /// A connection waits, and other guests should have it rather than this one.
    pub(crate) fn leaves_to_others(&self) -> bool {
        self.load.as_ref().is_some_and(LoadShare::is_above) && self.has_waiting()
    }

    /// A connection waits in the kernel's queue.
    fn has_waiting(&self) -> bool {
        let mut files = [PollFd::new(self, PollFlags::IN)];
        poll(&mut files, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Counts an accepted connection, as long as its permit.
    pub(crate) fn count(&self, permit: &SocketPermit) {
        if let Some(load) = &self.load {
            permit.counts(load.count());
        }
    }

    pub(crate) fn acceptor(&self) -> &A {
        &self.acceptor
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl<A: Acceptor> StopListening for Listener<A> {
    fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.end();
            self.accepting.wake();
        }
    }
}

impl<A: Acceptor> Drop for Listener<A> {
    fn drop(&mut self) {
        // A socket of this guest alone is closed with its descriptor.
        if self.shared.is_some() && !self.is_closed() {
            self.end();
        }
    }
}

impl<A: Acceptor> AsFd for Listener<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.as_fd()
    }
}

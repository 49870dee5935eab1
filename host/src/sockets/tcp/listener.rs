//! A listening socket of the system.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use rustix::net::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::sockets::share::{Share, SharedSocket};

/// Listens until it is closed or dropped.
pub(crate) struct Listener {
    socket: TcpListener,
    /// The same socket, where other guests listen on it as well.
    shared: Option<Arc<SharedSocket>>,
    first: bool,
    closed: AtomicBool,
    accepting: AtomicWaker,
}

impl Listener {
    pub(super) fn open(
        socket: TcpSocket,
        backlog: u32,
        share: Option<&Share>,
    ) -> io::Result<Listener> {
        let shared = share.map(|share| Arc::clone(share.socket()));
        let listen = || socket.listen(backlog);
        let (socket, first) = match &shared {
            Some(shared) => shared.begin(listen)?,
            None => (listen()?, true),
        };
        Ok(Listener {
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

    /// Whether other guests may listen on it.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Closes it from any thread, also while the guest computes. Connections
    /// that wait in the system's queue are reset, unless others listen on it.
    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.end();
            self.accepting.wake();
        }
    }

    fn end(&self) {
        // The descriptor belongs to the guest's socket, which ends with the stream
        // of connections. Until then, Linux refuses connections; where it fails,
        // they are refused from then on.
        let close = || {
            let _ = shutdown(&self.socket, Shutdown::Both);
        };
        match &self.shared {
            Some(shared) => shared.end(close),
            None => close(),
        }
    }

    /// The next connection; none when it is closed.
    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<(TcpStream, SocketAddr)>>> {
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

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_shared() && !self.is_closed() {
            self.end();
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

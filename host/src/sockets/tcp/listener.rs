//! A listening socket of the system.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use rustix::net::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpStream};

/// Listens until it is closed or dropped.
pub(crate) struct Listener {
    socket: TcpListener,
    closed: AtomicBool,
    accepting: AtomicWaker,
}

impl Listener {
    pub(super) fn new(socket: TcpListener) -> Listener {
        Listener {
            socket,
            closed: AtomicBool::new(false),
            accepting: AtomicWaker::new(),
        }
    }

    /// Closes it from any thread, also while the guest computes. Connections
    /// that wait in the system's queue are reset.
    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // The descriptor belongs to the guest's socket, which ends with the
            // stream of connections. Until then, Linux refuses connections;
            // where it fails, they are refused from then on.
            let _ = shutdown(&self.socket, Shutdown::Both);
            self.accepting.wake();
        }
    }

    /// The next connection; none when it is closed.
    pub(super) fn poll_accept(
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

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

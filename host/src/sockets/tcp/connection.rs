//! A connected socket of the system, as its halves share it.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown, sockopt};
use tokio::net::TcpStream;

/// A connection, which its guest ends or somebody cuts: whatever is first.
pub(crate) struct Connection {
    stream: TcpStream,
    end: AtomicU8,
    peer: OnceLock<SocketAddr>,
}

/// How it has ended, if it has.
const OPEN: u8 = 0;
const ENDED: u8 = 1;
const CUT: u8 = 2;

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            end: AtomicU8::new(OPEN),
            peer: OnceLock::new(),
        }
    }

    /// The other end's address, which the system is asked for once.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        match self.peer.get() {
            Some(peer) => Ok(*peer),
            None => {
                let peer = self.stream.peer_addr()?;
                Ok(*self.peer.get_or_init(|| peer))
            }
        }
    }

    /// Sends the end of the data.
    pub(super) fn end(&self) {
        if self.comes_to(ENDED) {
            // It fails where the connection is gone already, which whoever reads
            // or writes is told.
            let _ = shutdown(&self.stream, Shutdown::Write);
        }
    }

    /// Has it reset when it is closed, from any thread; one that the guest has
    /// ended is complete and stays so.
    pub(crate) fn cut(&self) {
        if self.comes_to(CUT) {
            reset_on_close(&self.stream);
        }
    }

    fn comes_to(&self, end: u8) -> bool {
        let changed = (self.end).compare_exchange(OPEN, end, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}

impl Deref for Connection {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Closing it will be a reset, as far as the system can.
pub(super) fn reset_on_close(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

//! A connected socket of the system, as its handle and its streams share it.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::net::{Shutdown, connect_unspec, shutdown};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::Outcome;
use super::convert::code;
use super::system::KernelSocket;
use crate::access::SocketPermit;

/// A connection, which its guest ends or somebody cuts, whatever is first; or
/// which its guest resets, whatever was before.
pub(crate) struct StreamSocket {
    system: KernelSocket,
    end: AtomicU8,
    permit: Arc<SocketPermit>,
}

/// How it has ended, if it has.
const OPEN: u8 = 0;
/// The guest has ended the half that it sends.
const ENDED: u8 = 1;
/// The guest is not done, and will not be.
const CUT: u8 = 2;
/// The guest has disconnected it.
const RESET: u8 = 3;

impl StreamSocket {
    pub(crate) fn new(system: impl Into<KernelSocket>, permit: Arc<SocketPermit>) -> StreamSocket {
        StreamSocket {
            system: system.into(),
            end: AtomicU8::new(OPEN),
            permit,
        }
    }

    /// Among those that the guest may have.
    pub(crate) fn permit(&self) -> &SocketPermit {
        &self.permit
    }

    /// Whether the guest has left both halves open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.end.load(Ordering::Acquire), OPEN | CUT)
    }

    /// What it carries has been sent to its own end: nobody cuts it any more.
    pub(crate) fn complete(&self) {
        self.comes_to(ENDED);
    }

    /// Sends the end of the data.
    pub(super) fn end(&self) {
        if self.comes_to(ENDED) {
            // It fails where the connection is gone already, which whoever reads
            // or writes is told.
            let _ = shutdown(&self.system, Shutdown::Write);
        }
    }

    /// Nobody receives any more what still comes.
    pub(super) fn end_receiving(&self) {
        self.system.end_receiving();
    }

    /// Has it reset when it is closed, from any thread; one that the guest has
    /// ended is complete and stays so.
    pub(crate) fn cut(&self) {
        if self.comes_to(CUT) {
            self.system.reset_on_close();
        }
    }

    /// Ends it at once: the peer sees a reset, and the streams wake up.
    pub(crate) fn reset(&self) -> Result<(), ErrorCode> {
        // Closing would wait until the streams are gone.
        connect_unspec(&self.system).map_err(|error| code(error.into()))?;
        self.end.store(RESET, Ordering::Release);
        Ok(())
    }

    /// How a half of it ended, where the system reports nothing.
    pub(super) fn outcome(&self) -> Outcome {
        match self.end.load(Ordering::Acquire) {
            RESET => Err(ErrorCode::ConnectionAborted),
            _ => Ok(()),
        }
    }

    /// How a half of it ended, where the system reports an error.
    pub(super) fn failure(&self, error: io::Error) -> Outcome {
        self.outcome().and(Err(code(error)))
    }

    fn comes_to(&self, end: u8) -> bool {
        let changed = (self.end).compare_exchange(OPEN, end, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}

impl Deref for StreamSocket {
    type Target = KernelSocket;

    fn deref(&self) -> &KernelSocket {
        &self.system
    }
}

impl AsFd for StreamSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.system.as_fd()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;
    use crate::Stats;

    /// One end, and the peer.
    pub(crate) fn pair() -> (StreamSocket, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(stream).unwrap();
        let permit = Arc::new(SocketPermit::take(Stats::new()));
        (StreamSocket::new(stream, permit), peer)
    }

    fn is_reset(mut peer: std::net::TcpStream) -> bool {
        let read = peer.read(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn what_is_cut_is_reset_when_it_is_closed() {
        let (connection, peer) = pair();
        connection.cut();
        connection.end();
        assert!(matches!(connection.outcome(), Ok(())));
        drop(connection);
        assert!(is_reset(peer));
    }

    #[tokio::test]
    async fn what_was_ended_is_complete_whoever_cuts_it() {
        let (connection, mut peer) = pair();
        connection.end();
        connection.cut();
        drop(connection);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_complete_in_itself_is_not_cut_either() {
        let (connection, mut peer) = pair();
        connection.complete();
        connection.cut();
        drop(connection);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_reset_stays_so_whatever_follows() {
        let (connection, peer) = pair();
        connection.reset().unwrap();
        connection.cut();
        connection.end();
        assert!(is_reset(peer), "at once");
        assert!(matches!(
            connection.outcome(),
            Err(ErrorCode::ConnectionAborted)
        ));
    }

    #[tokio::test]
    async fn what_is_cut_or_ended_can_still_be_reset_at_once() {
        for before in [StreamSocket::cut, StreamSocket::end] {
            let (connection, mut peer) = pair();
            before(&connection);
            connection.reset().unwrap();
            assert!(matches!(
                connection.outcome(),
                Err(ErrorCode::ConnectionAborted)
            ));
            let mut read = peer.read(&mut [0]);
            if let Ok(0) = read {
                // The end came first, and the reset is met by writing.
                read = peer.write(b"x").and_then(|_| peer.read(&mut [0]));
            }
            assert!(read.is_err(), "{read:?}");
        }
    }
}

//! A connected stream socket, as its handle and its streams share it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{Shutdown, connect_unspec, shutdown, sockopt};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::error::{code, transfer_code};
use super::options::Options;
use crate::access::{EndReason, SocketPermit};
use crate::quota::Half;
use crate::sockets::stop::CutShort;

/// How a half of a socket ended.
pub(crate) type Outcome = Result<(), ErrorCode>;

/// A connected socket and how it ends.
///
/// Whichever comes first wins: the guest ending it or the host cutting it. A guest
/// reset overrides both.
pub(crate) struct StreamSocket {
    kernel: KernelSocket,
    /// One of [`OPEN`], [`ENDED`], [`CUT`] and [`RESET`].
    end: AtomicU8,
    permit: Arc<SocketPermit>,
    /// The waits of the two halves for the quota of a second.
    pub(super) pauses: Mutex<Pauses>,
}

/// The waits of a socket's halves for their quotas. There is none without a quota.
#[derive(Default)]
pub(super) struct Pauses {
    receiving: Option<Pin<Box<Sleep>>>,
    sending: Option<Pin<Box<Sleep>>>,
}

impl Pauses {
    pub(super) fn of(&mut self, half: Half) -> &mut Option<Pin<Box<Sleep>>> {
        match half {
            Half::Received => &mut self.receiving,
            Half::Sent => &mut self.sending,
        }
    }
}

/// Neither the guest nor the host has ended the socket.
const OPEN: u8 = 0;
/// The guest has ended its sending half.
const ENDED: u8 = 1;
/// The host has cut the socket before the guest ended it.
const CUT: u8 = 2;
/// The guest has reset the socket.
const RESET: u8 = 3;

/// The kernel's socket, as tokio has it.
pub(crate) enum KernelSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl StreamSocket {
    pub(crate) fn new(kernel: impl Into<KernelSocket>, permit: Arc<SocketPermit>) -> StreamSocket {
        StreamSocket {
            kernel: kernel.into(),
            end: AtomicU8::new(OPEN),
            permit,
            pauses: Mutex::default(),
        }
    }

    pub(crate) fn options(&self) -> Options<'_> {
        Options::new(self.as_fd(), &self.permit, None)
    }

    pub(crate) fn permit(&self) -> &SocketPermit {
        &self.permit
    }

    /// The Unix socket, if it is one.
    pub(crate) fn unix(&self) -> Option<&UnixStream> {
        match &self.kernel {
            KernelSocket::Tcp(_) => None,
            KernelSocket::Unix(stream) => Some(stream),
        }
    }

    /// The guest has left both halves open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.end.load(Ordering::Acquire), OPEN | CUT)
    }

    /// Marks the socket as ended by the guest. A TLS session calls this once it has
    /// sent its own end, so that [`cut`](CutShort::cut) leaves the socket alone.
    pub(crate) fn complete(&self) {
        self.comes_to(ENDED);
    }

    /// Sends the end of the data.
    pub(crate) fn end(&self) {
        if self.comes_to(ENDED) {
            // Fails when the peer has gone already; reads and writes report that.
            let _ = shutdown(self, Shutdown::Write);
        }
    }

    /// Discards what still arrives, because the guest receives no more.
    pub(crate) fn end_receiving(&self) {
        match &self.kernel {
            KernelSocket::Tcp(stream) => {
                // Fails when the peer has gone already.
                let _ = shutdown(stream, Shutdown::Read);
            }
            // The kernel would fail the peer's next write with EPIPE: unix(7).
            KernelSocket::Unix(_) => {}
        }
    }

    /// Resets the socket now: the peer sees it, and the streams wake up.
    pub(crate) fn reset(&self) -> Result<(), ErrorCode> {
        // Closing the descriptor resets only once the streams have dropped it.
        // Connecting to AF_UNSPEC disconnects at once: connect(2).
        connect_unspec(self).map_err(|error| code(error.into()))?;
        self.end.store(RESET, Ordering::Release);
        Ok(())
    }

    /// How a half ended, where the kernel reports no error.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.end.load(Ordering::Acquire) {
            RESET => Err(ErrorCode::ConnectionAborted),
            _ => Ok(()),
        }
    }

    /// How a half ended, where the kernel reports an error.
    pub(crate) fn failure(&self, error: io::Error) -> Outcome {
        self.outcome().and(Err(transfer_code(error)))
    }

    fn comes_to(&self, end: u8) -> bool {
        let changed = (self.end).compare_exchange(OPEN, end, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.kernel {
            KernelSocket::Tcp(stream) => stream.poll_read_ready(cx),
            KernelSocket::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.kernel {
            KernelSocket::Tcp(stream) => stream.poll_write_ready(cx),
            KernelSocket::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.kernel {
            KernelSocket::Tcp(stream) => stream.try_io(interest, work),
            KernelSocket::Unix(stream) => stream.try_io(interest, work),
        }
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        self.permit.closed(match *self.end.get_mut() {
            ENDED => EndReason::Ended,
            CUT => EndReason::Cut,
            RESET => EndReason::Reset,
            _ => EndReason::Dropped,
        });
    }
}

impl CutShort for StreamSocket {
    /// Unix sockets have no reset. Their peers see the end, or an error where they
    /// have sent bytes that the guest has not received.
    fn cut(&self) {
        if self.comes_to(CUT)
            && let KernelSocket::Tcp(stream) = &self.kernel
        {
            reset_on_close(stream);
        }
    }

    fn idle_for(&self) -> Option<Duration> {
        self.permit.idle_for()
    }

    fn revoke(&self) {
        match &self.kernel {
            KernelSocket::Tcp(_) => {
                // Fails when the peer has reset the connection already.
                let _ = self.reset();
            }
            KernelSocket::Unix(stream) => {
                let _ = shutdown(stream, Shutdown::Both);
            }
        }
        self.permit.revoke();
    }
}

/// Has closing the socket reset it: a linger time of zero does so, see socket(7).
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

impl AsFd for StreamSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kernel {
            KernelSocket::Tcp(stream) => stream.as_fd(),
            KernelSocket::Unix(stream) => stream.as_fd(),
        }
    }
}

impl From<UnixStream> for KernelSocket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl From<TcpStream> for KernelSocket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;
    use crate::access::testing;

    /// Makes a connected socket and its peer.
    pub(crate) fn pair() -> (StreamSocket, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(stream).unwrap();
        let permit = Arc::new(testing::permit());
        (StreamSocket::new(stream, permit), peer)
    }

    fn is_reset(mut peer: std::net::TcpStream) -> bool {
        let read = peer.read(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn a_cut_socket_is_reset_when_it_is_closed() {
        let (connection, peer) = pair();
        connection.cut();
        connection.end();
        assert!(matches!(connection.outcome(), Ok(())));
        drop(connection);
        assert!(is_reset(peer));
    }

    #[tokio::test]
    async fn an_ended_socket_stays_complete_when_it_is_cut() {
        let (connection, mut peer) = pair();
        connection.end();
        connection.cut();
        drop(connection);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_completed_socket_is_not_cut() {
        let (connection, mut peer) = pair();
        connection.complete();
        connection.cut();
        drop(connection);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_reset_socket_stays_reset() {
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
    async fn a_cut_or_ended_socket_can_be_reset_at_once() {
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

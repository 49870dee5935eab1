//! The system's stream sockets, as tokio has them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown, sockopt};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A connected socket of the system.
pub(crate) enum KernelSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl KernelSocket {
    /// The Unix socket, if it is one.
    pub(crate) fn unix(&self) -> Option<&UnixStream> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(stream) => Some(stream),
        }
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self {
            Self::Tcp(stream) => stream.try_io(interest, work),
            Self::Unix(stream) => stream.try_io(interest, work),
        }
    }

    /// What still comes is of no use.
    pub(super) fn end_receiving(&self) {
        match self {
            Self::Tcp(stream) => {
                // It fails where the connection is gone already.
                let _ = shutdown(stream, Shutdown::Read);
            }
            // The peer would meet it at its next write.
            Self::Unix(_) => {}
        }
    }

    /// Closing it will be a reset, as far as the system can. Unix sockets have none:
    /// their peers see the end, or an error where they have sent what nobody has
    /// received.
    pub(super) fn reset_on_close(&self) {
        match self {
            Self::Tcp(stream) => reset_on_close(stream),
            Self::Unix(_) => {}
        }
    }
}

/// Closing it will be a reset, as far as the system can.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

impl AsFd for KernelSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
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

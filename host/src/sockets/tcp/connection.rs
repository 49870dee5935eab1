use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpStream;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::convert::code;
use super::streams::Outcome;

/// What a socket and its two streams share.
pub(super) struct Connection {
    stream: TcpStream,
    /// It was reset on this side.
    reset: AtomicBool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            reset: AtomicBool::new(false),
        }
    }

    /// Ends it at once: the peer sees a reset, and the streams wake up.
    pub(super) fn reset(&self) -> Result<(), ErrorCode> {
        // Closing would wait until the streams are gone.
        rustix::net::connect_unspec(&self.stream).map_err(|error| code(error.into()))?;
        self.reset.store(true, Ordering::Release);
        Ok(())
    }

    /// How a half of it ended, where the system reports nothing.
    pub(super) fn end(&self) -> Outcome {
        match self.reset.load(Ordering::Acquire) {
            true => Err(ErrorCode::ConnectionAborted),
            false => Ok(()),
        }
    }

    /// How a half of it ended, where the system reports an error.
    pub(super) fn failure(&self, error: io::Error) -> Outcome {
        self.end().and(Err(code(error)))
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

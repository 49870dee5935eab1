//! The output as the WASI of a guest sees it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::{BUFFER, Output};

/// The time after which a call of WASI 0.2 no longer waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that a guest of WASI 0.2 is allowed to write at a time.
const MOST: usize = 64 * 1024;

/// Bytes over the buffer for writes that were permitted while there was room: other programs
/// of the process may have filled it since.
const OVER: usize = 16 * MOST;

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        Self::is_terminal(self)
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

/// WASI 0.3.
impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(&self, cx, bytes)
    }

    /// Ready at once: the thread writes everything, and [`Output::finish`] waits for it.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        // The reader may take something meanwhile, which renews the patience.
        while matches!(self.room(), Ok(0))
            && let Some(patience) = self.patience_left(PATIENCE)
        {
            let _ = tokio::time::timeout(patience, poll_fn(|cx| self.poll_room(cx))).await;
        }
    }
}

/// WASI 0.2. The guest, and everything else in its store, stands still while a call waits.
#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = crate::lock::lock(&self.0.state);
        state.room().map_err(stream_error)?;
        if state.unwritten().saturating_add(bytes.len()) > BUFFER + OVER {
            return Err(StreamError::trap(
                "a program wrote more than `check-write` permits",
            ));
        }
        self.push(&mut state, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.room().map_err(stream_error)?;
        match room {
            0 if self.patience_left(PATIENCE).is_none() => {
                Err(stream_error(io::ErrorKind::WouldBlock.into()))
            }
            room => Ok(room.min(MOST)),
        }
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        loop {
            let room = self.check_write()?;
            if room > 0 {
                return Ok(room);
            }
            self.ready().await;
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        // At most 4096 bytes, so they need not fit exactly.
        self.write_ready().await?;
        self.write(bytes)
    }
}

/// A guest learns of "closed" that the reader is gone, and of any other error its number.
fn stream_error(error: io::Error) -> StreamError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        io::ErrorKind::WouldBlock => {
            StreamError::LastOperationFailed(io::Error::from(rustix::io::Errno::AGAIN).into())
        }
        _ => StreamError::LastOperationFailed(error.into()),
    }
}

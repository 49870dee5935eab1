//! The streams of a session: bytes received, bytes to send.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wasmtime::StoreContextMut;
use wasmtime::component::{Source, StreamConsumer, StreamResult};

use super::super::bindings::tls::ErrorCode;
use super::shared_session::{Outcome, SharedSession};
use crate::imports::byte_streams::{ByteSource, pending};

/// The receiving half of a session. It ends when the peer ends its own.
pub(super) struct SessionSource(Arc<SharedSession>);

impl SessionSource {
    pub(super) fn new(session: Arc<SharedSession>) -> SessionSource {
        SessionSource(session)
    }
}

impl ByteSource for SessionSource {
    type Error = ErrorCode;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_receivable(cx)
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Outcome>> {
        let received = self.0.poll_receive(cx, into);
        received.map(|received| match received {
            Ok(0) => Err(Ok(())),
            received => received.map_err(Err),
        })
    }
}

/// Sends the guest's stream in a session. Its end is the end of the data.
pub(super) struct SessionSink {
    session: Arc<SharedSession>,
    /// The session has taken the guest's write, and the kernel has not got all of it.
    taken: bool,
}

impl SessionSink {
    pub(super) fn new(session: Arc<SharedSession>) -> SessionSink {
        SessionSink {
            session,
            taken: false,
        }
    }
}

impl Drop for SessionSink {
    fn drop(&mut self) {
        self.session.end_send();
    }
}

impl<D: 'static> StreamConsumer<D> for SessionSink {
    type Item = u8;

    /// Completes a write once the kernel has all of its records: no task in the
    /// background would send the rest.
    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        if !self.taken && !source.remaining().is_empty() {
            match self.session.poll_send(cx, source.remaining()) {
                Poll::Pending => return pending(finish),
                Poll::Ready(Ok(count)) => {
                    source.mark_read(count);
                    self.taken = true;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            }
        }
        match self.session.poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.taken = false;
                Poll::Ready(Ok(match flushed {
                    Ok(()) => StreamResult::Completed,
                    Err(_) => StreamResult::Dropped,
                }))
            }
            // The session cannot give the bytes back. The next write, the future of the
            // half or the end of the session sends them.
            Poll::Pending if self.taken && finish => {
                self.taken = false;
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Pending => pending(finish),
        }
    }
}

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
pub(super) struct SessionSource {
    session: Arc<SharedSession>,
    /// A byte received for a read of length zero: rustls does not tell whether there
    /// is one without giving it out.
    first: Option<u8>,
}

impl SessionSource {
    pub(super) fn new(session: Arc<SharedSession>) -> SessionSource {
        SessionSource {
            session,
            first: None,
        }
    }

    /// Receives after the byte that was taken before, if there is one. Returns 0 at
    /// the end of the session.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, ErrorCode>> {
        let Some(first) = self.first.take() else {
            return self.session.poll_receive(cx, into);
        };
        let Some((begin, rest)) = into.split_first_mut() else {
            self.first = Some(first);
            return Poll::Ready(Ok(0));
        };
        *begin = first;
        let more = match rest.is_empty() {
            true => Poll::Ready(Ok(0)),
            false => self.session.poll_receive(cx, rest),
        };
        // The next read meets an end or an error again.
        Poll::Ready(Ok(match more {
            Poll::Ready(Ok(more)) => 1 + more,
            _ => 1,
        }))
    }
}

impl ByteSource for SessionSource {
    type Error = ErrorCode;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut first = [0];
        if self.first.is_none() {
            match self.session.poll_receive(cx, &mut first) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(1)) => self.first = Some(first[0]),
                Poll::Ready(_) => {}
            }
        }
        Poll::Ready(())
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Outcome>> {
        self.poll_read(cx, into).map(|received| match received {
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

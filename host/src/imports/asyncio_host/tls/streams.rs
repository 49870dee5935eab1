//! The streams of a session: bytes received, bytes to send.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::shared::{Outcome, SharedSession};
use crate::imports::asyncio_host::bindings::tls::ErrorCode;

/// What the guest has no room for stays in the session.
const CHUNK: usize = 64 * 1024;

/// Receives, until the peer ends its half.
pub(super) struct Receiving {
    session: Arc<SharedSession>,
    outcome: Option<oneshot::Sender<Outcome>>,
    /// Received to see whether there is something.
    first: Option<u8>,
}

impl Receiving {
    pub(super) fn new(session: Arc<SharedSession>, outcome: oneshot::Sender<Outcome>) -> Receiving {
        Receiving {
            session,
            outcome: Some(outcome),
            first: None,
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(sender) = self.outcome.take() {
            // The guest may have lost interest.
            drop(sender.send(outcome));
        }
    }

    /// How many bytes there are, of those that `into` has room for.
    fn poll_receive(
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
        // An end is met again by the next one.
        Poll::Ready(Ok(match more {
            Poll::Ready(Ok(more)) => 1 + more,
            _ => 1,
        }))
    }

    /// Whether there is something, or an end.
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
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.tell(Ok(()));
    }
}

impl<D: 'static> StreamProducer<D> for Receiving {
    type Item = u8;
    type Buffer = bytes::BytesMut;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        destination: Destination<'a, u8, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.outcome.is_none() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if destination.remaining(store.as_context_mut()) == Some(0) {
            return match self.poll_ready(cx) {
                Poll::Ready(()) => Poll::Ready(Ok(StreamResult::Completed)),
                Poll::Pending => pending(finish),
            };
        }
        let mut destination = destination.as_direct(store, CHUNK);
        match self.poll_receive(cx, destination.remaining()) {
            Poll::Pending => return pending(finish),
            Poll::Ready(Ok(0)) => self.tell(Ok(())),
            Poll::Ready(Ok(count)) => {
                destination.mark_written(count);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Poll::Ready(Err(why)) => self.tell(Err(why)),
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// Sends. The end of what the guest gives is the end of the data.
pub(super) struct Sending {
    session: Arc<SharedSession>,
    /// The guest's write is taken, and the system has not got all of it yet.
    taken: bool,
}

impl Sending {
    pub(super) fn new(session: Arc<SharedSession>) -> Sending {
        Sending {
            session,
            taken: false,
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.session.end_send();
    }
}

impl<D: 'static> StreamConsumer<D> for Sending {
    type Item = u8;

    /// A write is done once the system has all that was made of it: nobody else
    /// would hand it over.
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
            // It cannot be taken back. The next write, the future or the end of the
            // session goes on with it.
            Poll::Pending if self.taken && finish => {
                self.taken = false;
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Pending => pending(finish),
        }
    }
}

fn pending(finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match finish {
        true => Poll::Ready(Ok(StreamResult::Cancelled)),
        false => Poll::Pending,
    }
}

//! The streams of a connection: bytes received, bytes to send.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::lease::Lease;
use super::{Outcome, StreamSocket};

/// What the guest has no room for stays in the system.
const CHUNK: usize = 64 * 1024;

/// Tells how a half of a connection ended, once.
struct End(Option<oneshot::Sender<Outcome>>);

impl End {
    fn tell(&mut self, outcome: Outcome) {
        if let Some(sender) = self.0.take() {
            // The guest may have lost interest.
            drop(sender.send(outcome));
        }
    }

    fn is_told(&self) -> bool {
        self.0.is_none()
    }
}

/// Receives.
pub(super) struct Receiving {
    lease: Arc<Lease>,
    end: End,
}

impl Receiving {
    pub(super) fn new(lease: Arc<Lease>, outcome: oneshot::Sender<Outcome>) -> Receiving {
        Receiving {
            lease,
            end: End(Some(outcome)),
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // Where nobody else has the socket, it is closed now anyway.
        if !self.end.is_told() && Arc::strong_count(&self.lease) > 1 {
            self.lease.with(StreamSocket::end_receiving);
        }
        self.end.tell(Ok(()));
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
        if self.end.is_told() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if destination.remaining(store.as_context_mut()) == Some(0) {
            let ready = (self.lease).receiving(cx, |connection, cx| {
                connection.poll_read_ready(cx).map(drop)
            });
            return readiness(ready.map(drop), finish);
        }
        let mut destination = destination.as_direct(store, CHUNK);
        let received = self.lease.receiving(cx, |connection, cx| {
            connection
                .poll_receive(cx, destination.remaining())
                .map(|received| match received {
                    Ok(0) => Err(connection.outcome()),
                    Ok(count) => {
                        connection.permit().stats().received(count);
                        Ok(count)
                    }
                    Err(error) => Err(connection.failure(error)),
                })
        });
        let outcome = match received {
            Poll::Pending => return pending(finish),
            Poll::Ready(Some(Ok(count))) => {
                destination.mark_written(count);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Poll::Ready(Some(Err(outcome))) => outcome,
            Poll::Ready(None) => Ok(()),
        };
        self.end.tell(outcome);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// Sends. The end of what the guest gives is the end of the data.
pub(super) struct Sending {
    lease: Arc<Lease>,
    end: End,
}

impl Sending {
    pub(super) fn new(lease: Arc<Lease>, outcome: oneshot::Sender<Outcome>) -> Sending {
        lease.begin_send();
        Sending {
            lease,
            end: End(Some(outcome)),
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.end.is_told() {
            let outcome = self.lease.with(|connection| {
                connection.end();
                connection.outcome()
            });
            self.end.tell(outcome.unwrap_or(Ok(())));
        }
        self.lease.end_send();
    }
}

impl<D: 'static> StreamConsumer<D> for Sending {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.end.is_told() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        let mut source = source.as_direct(store);
        if source.remaining().is_empty() {
            let ready = (self.lease).sending(cx, |connection, cx| {
                connection.poll_write_ready(cx).map(drop)
            });
            return readiness(ready.map(drop), finish);
        }
        let sent = self.lease.sending(cx, |connection, cx| {
            connection
                .poll_send(cx, source.remaining())
                .map(|sent| match sent {
                    Ok(count) => {
                        connection.permit().stats().sent(count);
                        Ok(count)
                    }
                    Err(error) => Err(connection.failure(error)),
                })
        });
        let outcome = match sent {
            Poll::Pending => return pending(finish),
            Poll::Ready(Some(Ok(count))) => {
                source.mark_read(count);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Poll::Ready(Some(Err(outcome))) => outcome,
            Poll::Ready(None) => Ok(()),
        };
        self.end.tell(outcome);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// The answer to an operation on nothing, which asks whether one would wait.
fn readiness(ready: Poll<()>, finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match ready {
        Poll::Ready(()) => Poll::Ready(Ok(StreamResult::Completed)),
        Poll::Pending => pending(finish),
    }
}

pub(super) fn pending(finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match finish {
        true => Poll::Ready(Ok(StreamResult::Cancelled)),
        false => Poll::Pending,
    }
}

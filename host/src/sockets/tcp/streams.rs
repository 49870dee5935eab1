//! The streams of a socket: connections that arrive, bytes received, bytes to
//! send.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use wasmtime::component::{
    Destination, Resource, Source, StreamConsumer, StreamProducer, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket as Name};

use super::connection::reset_on_close;
use super::convert::refusal;
use super::lease::Lease;
use super::{Listener, TcpSocket};
use crate::View;
use crate::gate::Gate;
use crate::place::Place;

/// How a half of a connection ended.
pub(super) type Outcome = Result<(), ErrorCode>;

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

/// Connections that are handed over at a time; one by one where several guests
/// wait for them, so that each has its part.
const BATCH: usize = 64;

/// Takes connections from a listener: as many as wait, up to what the guest has
/// asked for.
pub(super) struct Accepting {
    pub(super) listener: Arc<Listener>,
    pub(super) family: IpAddressFamily,
    pub(super) gate: Arc<Gate>,
    /// The listener's.
    pub(super) _place: Arc<Place>,
    /// Taken to see whether there is one, and not asked for yet.
    pub(super) next: Option<Accepted>,
}

/// A connection and its peer, or why there is none; and its place.
pub(super) type Accepted = (Result<(TcpStream, SocketAddr), ErrorCode>, Place);

impl Accepting {
    /// Waits for the next connection, or why there is none; false when the
    /// listener is closed.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.next.is_none() {
            self.next = match ready!(self.listener.poll_accept(cx)) {
                None => return Poll::Ready(false),
                Some(Ok(accepted)) => self.admit(accepted),
                // It has to be told, and takes no socket of the system.
                Some(Err(error)) => {
                    let place = Place::take(self.gate.stats().clone());
                    Some((Err(refusal(error)), place))
                }
            };
        }
        Poll::Ready(true)
    }

    /// A connection beyond the limit is reset.
    fn admit(&self, accepted: (TcpStream, SocketAddr)) -> Option<Accepted> {
        let place = self.gate.place();
        if place.is_none() {
            reset_on_close(&accepted.0);
        }
        Some((Ok(accepted), place?))
    }
}

impl Drop for Accepting {
    /// The guest has never had it.
    fn drop(&mut self) {
        if let Some((Ok((stream, _)), _)) = &self.next {
            reset_on_close(stream);
        }
    }
}

impl<D: View> StreamProducer<D> for Accepting {
    type Item = Resource<Name>;
    type Buffer = VecBuffer<Resource<Name>>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let most = if self.listener.is_shared() { 1 } else { BATCH };
        let room = destination.remaining(&mut store).unwrap_or(1).min(most);
        let mut batch = Vec::new();
        let open = loop {
            match self.poll_next(cx) {
                Poll::Pending if batch.is_empty() => return pending(finish),
                Poll::Pending => break true,
                Poll::Ready(false) => break false,
                Poll::Ready(true) if batch.len() == room => break true,
                Poll::Ready(true) => {}
            }
            let Some((stream, place)) = self.next.take() else {
                break true;
            };
            let failed = stream.is_err();
            let view = store.data_mut().asyncio_streams();
            let socket = TcpSocket::accepted(self.family, stream, place, &view.ctx.stop);
            let socket = view.table.push(socket)?;
            batch.push(Resource::new_own(socket.rep()));
            // Whoever asks again would be told the same.
            if failed || batch.len() == room {
                break true;
            }
        };
        destination.set_buffer(batch.into());
        Poll::Ready(Ok(match open {
            true => StreamResult::Completed,
            false => StreamResult::Dropped,
        }))
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
            self.lease.with(|connection| {
                // It fails where the connection is gone already.
                let _ = shutdown(connection, Shutdown::Read);
            });
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
                        connection.place().stats().received(count);
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
                        connection.place().stats().sent(count);
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

fn pending(finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match finish {
        true => Poll::Ready(Ok(StreamResult::Cancelled)),
        false => Poll::Pending,
    }
}

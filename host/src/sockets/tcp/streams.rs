//! The streams of a socket: connections that arrive, bytes received, bytes to
//! send.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use wasmtime::component::{
    Destination, Resource, Source, StreamConsumer, StreamProducer, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket as Name};

use super::connection::{Connection, reset_on_close};
use super::convert::refusal;
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
    stream: Arc<Connection>,
    place: Arc<Place>,
    end: End,
}

impl Receiving {
    pub(super) fn new(
        stream: Arc<Connection>,
        place: Arc<Place>,
        outcome: oneshot::Sender<Outcome>,
    ) -> Receiving {
        Receiving {
            stream,
            place,
            end: End(Some(outcome)),
        }
    }

    /// One call of the system for each message: a read that does not fill the
    /// buffer leaves nothing, and the system says when there is more.
    ///
    /// Tokio is asked only where there is nothing. It lets a task have 128 results
    /// in a turn, and all connections of a guest are one task: with a thousand that
    /// are ready, most would be asked again and again in vain.
    fn poll_receive(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let room = into.len();
            let received = exhausting(&self.stream, Interest::READABLE, room, || {
                let (count, _) = recv(&*self.stream, &mut *into, RecvFlags::empty())?;
                Ok(count)
            });
            match received {
                Err(error) if again(&error) => ready!(self.stream.poll_read_ready(cx))?,
                received => return Poll::Ready(received),
            }
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // Where nobody else has the socket, it is closed now anyway.
        if !self.end.is_told() && Arc::strong_count(&self.stream) > 1 {
            // It fails where the connection is gone already.
            let _ = shutdown(&*self.stream, Shutdown::Read);
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
            let ready = self.stream.poll_read_ready(cx).map(drop);
            return readiness(ready, finish);
        }
        let mut destination = destination.as_direct(store, CHUNK);
        let outcome = match self.poll_receive(cx, destination.remaining()) {
            Poll::Pending => return pending(finish),
            Poll::Ready(Ok(0)) => self.stream.outcome(),
            Poll::Ready(Ok(count)) => {
                destination.mark_written(count);
                self.place.stats().received(count);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Poll::Ready(Err(error)) => self.stream.failure(error),
        };
        self.end.tell(outcome);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// Sends. The end of what the guest gives is the end of the data.
pub(super) struct Sending {
    stream: Arc<Connection>,
    place: Arc<Place>,
    end: End,
}

impl Sending {
    pub(super) fn new(
        stream: Arc<Connection>,
        place: Arc<Place>,
        outcome: oneshot::Sender<Outcome>,
    ) -> Sending {
        place.stats().send_opened();
        Sending {
            stream,
            place,
            end: End(Some(outcome)),
        }
    }

    fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let sent = exhausting(&self.stream, Interest::WRITABLE, bytes.len(), || {
                Ok(send(&*self.stream, bytes, SendFlags::NOSIGNAL)?)
            });
            match sent {
                Err(error) if again(&error) => ready!(self.stream.poll_write_ready(cx))?,
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.end.is_told() {
            self.stream.end();
            self.end.tell(self.stream.outcome());
        }
        self.place.stats().send_closed();
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
            let ready = self.stream.poll_write_ready(cx).map(drop);
            return readiness(ready, finish);
        }
        match self.poll_send(cx, source.remaining()) {
            Poll::Pending => pending(finish),
            Poll::Ready(Ok(count)) => {
                source.mark_read(count);
                self.place.stats().sent(count);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Err(error)) => {
                let outcome = self.stream.failure(error);
                self.end.tell(outcome);
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

/// Does `work` on the socket, whose full result would be `whole`. Less than that
/// has exhausted it: the next one waits until the system says so.
fn exhausting(
    stream: &TcpStream,
    interest: Interest,
    whole: usize,
    work: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut part = None;
    let done = stream.try_io(interest, || match work() {
        Ok(count) if count > 0 && count < whole => {
            part = Some(count);
            Err(io::ErrorKind::WouldBlock.into())
        }
        done => done,
    });
    part.map_or(done, Ok)
}

/// Whether it has to be done again.
fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
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

//! The streams of a socket: connections that arrive, bytes received, bytes to
//! send.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wasmtime::component::{
    Destination, Resource, Source, StreamConsumer, StreamProducer, StreamResult,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily, TcpSocket as Name};

use super::TcpSocket;
use super::connection::Connection;
use super::convert::refusal;
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

/// Takes connections from a listener.
pub(super) struct Accepting {
    pub(super) listener: Arc<TcpListener>,
    pub(super) family: IpAddressFamily,
    pub(super) gate: Arc<Gate>,
    /// The listener's.
    pub(super) _place: Arc<Place>,
    /// Taken to see whether there is one, and not asked for yet.
    pub(super) next: Option<Accepted>,
}

/// A connection, or why there is none, and its place.
pub(super) type Accepted = (Result<TcpStream, ErrorCode>, Place);

impl Accepting {
    /// Waits for the next connection, or why there is none.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.next.is_none() {
            self.next = match ready!(self.listener.poll_accept(cx)) {
                Ok(accepted) => self.admit(accepted),
                // It has to be told, and takes no socket of the system.
                Err(error) => {
                    let place = Place::take(self.gate.stats().clone());
                    Some((Err(refusal(error)), place))
                }
            };
        }
        Poll::Ready(())
    }

    /// A connection beyond the limit is reset.
    fn admit(&self, (stream, _): (TcpStream, SocketAddr)) -> Option<Accepted> {
        if let Some(place) = self.gate.place() {
            return Some((Ok(stream), place));
        }
        // The reset is a courtesy.
        let reset = Some(Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&stream, reset);
        None
    }
}

impl<D: View> StreamProducer<D> for Accepting {
    type Item = Resource<Name>;
    type Buffer = Option<Resource<Name>>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.poll_next(cx).is_pending() {
            return pending(finish);
        }
        if destination.remaining(&mut store) != Some(0)
            && let Some((stream, place)) = self.next.take()
        {
            let view = store.data_mut().asyncio_streams();
            let socket = TcpSocket::accepted(self.family, stream, place);
            let socket = view.table.push(socket)?;
            destination.set_buffer(Some(Resource::new_own(socket.rep())));
        }
        Poll::Ready(Ok(StreamResult::Completed))
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
            Poll::Ready(Ok(0)) => self.stream.end(),
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
        // It fails where the connection is gone already, which whoever reads or
        // writes is told.
        let _ = shutdown(&*self.stream, Shutdown::Write);
        self.end.tell(self.stream.end());
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

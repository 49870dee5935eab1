//! The byte streams of a socket or a TLS session: bytes received, bytes to send.

use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{
    ComponentType, Destination, FutureReader, Lift, Lower, Source, StreamConsumer, StreamProducer,
    StreamReader, StreamResult,
};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::sockets::stream::{Lease, Outcome};

/// Bytes received at a time. Bytes beyond that stay in the kernel, or in the session.
const CHUNK: usize = 64 * 1024;

/// The bytes of a receiving half, and how it ended.
type Receiving<E> = (StreamReader<u8>, FutureReader<Result<(), E>>);

/// Sends the guest's stream on a socket that was lent for it.
pub(super) fn send(
    mut store: impl AsContextMut,
    lease: Result<Arc<Lease>, ErrorCode>,
    data: StreamReader<u8>,
) -> wasmtime::Result<FutureReader<Outcome>> {
    match lease {
        Ok(lease) => {
            let (sender, outcome) = oneshot::channel();
            data.pipe(&mut store, SocketSink::new(lease, sender))?;
            FutureReader::new(store, outcome)
        }
        Err(code) => cannot_send(store, data, code),
    }
}

/// Makes the stream of bytes received on a socket that was lent for it.
pub(super) fn receive(
    mut store: impl AsContextMut,
    lease: Result<Arc<Lease>, ErrorCode>,
) -> wasmtime::Result<Receiving<ErrorCode>> {
    match lease {
        Ok(lease) => {
            let (sender, outcome) = oneshot::channel();
            let received = Received::new(SocketSource(lease), sender);
            let data = StreamReader::new(&mut store, received)?;
            Ok((data, FutureReader::new(store, outcome)?))
        }
        Err(code) => cannot_receive(store, code),
    }
}

/// The result of sending where there is nothing to send on.
pub(super) fn cannot_send<E>(
    mut store: impl AsContextMut,
    mut data: StreamReader<u8>,
    error: E,
) -> wasmtime::Result<FutureReader<Result<(), E>>>
where
    E: ComponentType + Lift + Lower + Send + Sync + 'static,
{
    data.close(&mut store)?;
    FutureReader::new(store, async { wasmtime::error::Ok(Err(error)) })
}

/// The result of receiving where there is nothing to receive from.
pub(super) fn cannot_receive<E>(
    mut store: impl AsContextMut,
    error: E,
) -> wasmtime::Result<Receiving<E>>
where
    E: ComponentType + Lift + Lower + Send + Sync + 'static,
{
    let data = StreamReader::new(&mut store, iter::empty())?;
    let outcome = async { wasmtime::error::Ok(Err(error)) };
    Ok((data, FutureReader::new(store, outcome)?))
}

/// Tells the guest how a half ended, once.
struct End<E>(Option<oneshot::Sender<Result<(), E>>>);

impl<E> End<E> {
    fn tell(&mut self, outcome: Result<(), E>) {
        if let Some(sender) = self.0.take() {
            // Fails when the guest has dropped the future.
            drop(sender.send(outcome));
        }
    }

    fn is_told(&self) -> bool {
        self.0.is_none()
    }
}

/// The receiving half of a socket or a session.
pub(super) trait ByteSource: Send + Unpin + 'static {
    type Error: Send + 'static;

    /// Waits until there are bytes or the half has ended.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Waits for bytes, and stores as many as `into` has room for. Fails with the
    /// outcome when the half has ended.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Result<(), Self::Error>>>;

    /// The guest has dropped the stream before the half ended.
    fn abandon(&mut self) {}
}

/// The stream of the bytes that a source receives.
pub(super) struct Received<S: ByteSource> {
    source: S,
    end: End<S::Error>,
}

impl<S: ByteSource> Received<S> {
    pub(super) fn new(source: S, outcome: oneshot::Sender<Result<(), S::Error>>) -> Self {
        Self {
            source,
            end: End(Some(outcome)),
        }
    }
}

impl<S: ByteSource> Drop for Received<S> {
    fn drop(&mut self) {
        if !self.end.is_told() {
            self.source.abandon();
        }
        self.end.tell(Ok(()));
    }
}

impl<S: ByteSource, D: 'static> StreamProducer<D> for Received<S> {
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
            return readiness(self.source.poll_ready(cx), finish);
        }
        let mut destination = destination.as_direct(store, CHUNK);
        match self.source.poll_receive(cx, destination.remaining()) {
            Poll::Pending => pending(finish),
            Poll::Ready(Ok(count)) => {
                destination.mark_written(count);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Err(outcome)) => {
                self.end.tell(outcome);
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}

/// The receiving half of a socket.
struct SocketSource(Arc<Lease>);

impl ByteSource for SocketSource {
    type Error = ErrorCode;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self
            .0
            .receiving(cx, |socket, cx| socket.poll_read_ready(cx).map(drop));
        ready.map(drop)
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Outcome>> {
        let received = self.0.receiving(cx, |socket, cx| {
            socket
                .poll_receive(cx, into)
                .map(|received| match received {
                    Ok(0) => Err(socket.outcome()),
                    Ok(count) => {
                        socket.permit().stats().received(count);
                        Ok(count)
                    }
                    Err(error) => Err(socket.failure(error)),
                })
        });
        // A TLS session has taken the socket.
        received.map(|received| received.unwrap_or(Err(Ok(()))))
    }

    fn abandon(&mut self) {
        // The last user closes the socket, which ends receiving too.
        if Arc::strong_count(&self.0) > 1 {
            self.0.with(|socket| socket.end_receiving());
        }
    }
}

/// Sends the guest's stream on a socket. Its end is the end of the data.
struct SocketSink {
    lease: Arc<Lease>,
    end: End<ErrorCode>,
}

impl SocketSink {
    fn new(lease: Arc<Lease>, outcome: oneshot::Sender<Outcome>) -> SocketSink {
        lease.begin_send();
        SocketSink {
            lease,
            end: End(Some(outcome)),
        }
    }
}

impl Drop for SocketSink {
    fn drop(&mut self) {
        if !self.end.is_told() {
            let outcome = self.lease.with(|socket| {
                socket.end();
                socket.outcome()
            });
            self.end.tell(outcome.unwrap_or(Ok(())));
        }
        self.lease.end_send();
    }
}

impl<D: 'static> StreamConsumer<D> for SocketSink {
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
            let ready = self
                .lease
                .sending(cx, |socket, cx| socket.poll_write_ready(cx).map(drop));
            return readiness(ready.map(drop), finish);
        }
        let sent = self.lease.sending(cx, |socket, cx| {
            socket
                .poll_send(cx, source.remaining())
                .map(|sent| match sent {
                    Ok(count) => {
                        socket.permit().stats().sent(count);
                        Ok(count)
                    }
                    Err(error) => Err(socket.failure(error)),
                })
        });
        let outcome = match sent {
            Poll::Pending => return pending(finish),
            Poll::Ready(Some(Ok(count))) => {
                source.mark_read(count);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Poll::Ready(Some(Err(outcome))) => outcome,
            // A TLS session has taken the socket.
            Poll::Ready(None) => Ok(()),
        };
        self.end.tell(outcome);
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

/// The result of a read or write of length zero, which asks whether one would wait.
fn readiness(ready: Poll<()>, finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match ready {
        Poll::Ready(()) => Poll::Ready(Ok(StreamResult::Completed)),
        Poll::Pending => pending(finish),
    }
}

/// The result of an operation that has to wait. With `finish`, wasmtime asks for its
/// cancellation.
pub(super) fn pending(finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    match finish {
        true => Poll::Ready(Ok(StreamResult::Cancelled)),
        false => Poll::Pending,
    }
}

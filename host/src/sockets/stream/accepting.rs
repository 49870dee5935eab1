//! Connections that arrive.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, Resource, StreamProducer, StreamResult, VecBuffer};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::convert::refusal;
use super::listener::{Acceptor, Listener};
use super::streams::pending;
use crate::StreamsView;
use crate::access::{AccessGuard, SocketPermit};

/// Connections that are inherited over at a time; one by one where several guests
/// wait for them, so that each has its part.
const BATCH: usize = 64;

/// Takes connections from a listener: as many as wait, up to what the guest has
/// asked for.
pub(crate) struct Accepting<A: Acceptor> {
    listener: Arc<Listener<A>>,
    guard: Arc<AccessGuard>,
    /// The listener's.
    _permit: Arc<SocketPermit>,
    /// Taken to see whether there is one, and not asked for yet.
    next: Option<Admitted<A>>,
}

/// A connection, or why there is none; and its permit.
type Admitted<A> = (Result<<A as Acceptor>::Accepted, ErrorCode>, SocketPermit);

impl<A: Acceptor> Accepting<A> {
    /// From the listener with this permit.
    pub(crate) fn new(
        listener: Arc<Listener<A>>,
        permit: Arc<SocketPermit>,
        guard: Arc<AccessGuard>,
    ) -> Self {
        Self {
            listener,
            guard,
            _permit: permit,
            next: None,
        }
    }

    /// Waits for the next connection, or why there is none; false when the
    /// listener is closed.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.next.is_none() {
            self.next = match ready!(self.listener.poll_accept(cx)) {
                None => return Poll::Ready(false),
                Some(Ok(accepted)) => self.admit(accepted),
                // It has to be told, and takes no socket of the system.
                Some(Err(error)) => {
                    let permit = SocketPermit::take(self.guard.stats().clone());
                    Some((Err(refusal(error)), permit))
                }
            };
        }
        Poll::Ready(true)
    }

    /// A connection beyond the limit is turned away.
    fn admit(&self, accepted: A::Accepted) -> Option<Admitted<A>> {
        let permit = self.guard.permit();
        if permit.is_none() {
            A::turn_away(&accepted);
        }
        Some((Ok(accepted), permit?))
    }
}

impl<A: Acceptor> Drop for Accepting<A> {
    /// The guest has never had it.
    fn drop(&mut self) {
        if let Some((Ok(connection), _)) = &self.next {
            A::turn_away(connection);
        }
    }
}

// Nothing in it is pinned.
impl<A: Acceptor> Unpin for Accepting<A> {}

impl<A: Acceptor, D: StreamsView> StreamProducer<D> for Accepting<A> {
    type Item = Resource<A::Name>;
    type Buffer = VecBuffer<Resource<A::Name>>;

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
            let Some((accepted, permit)) = self.next.take() else {
                break true;
            };
            let failed = accepted.is_err();
            let view = store.data_mut().streams();
            let acceptor = self.listener.acceptor();
            let socket = acceptor.socket(accepted, permit, &view.ctx.stop);
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

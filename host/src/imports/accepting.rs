//! The stream of connections that a listener accepts.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, Resource, StreamProducer, StreamResult, VecBuffer};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::byte_streams::pending;
use super::headroom::Headroom;
use super::table;
use crate::access::{AccessGuard, ListenSource, SocketPermit};
use crate::ctx::{StreamsCtx, StreamsView};
use crate::sockets::StopHandle;
use crate::sockets::stream::{Acceptor, Listener, refusal};

/// Connections that the guest gets at a time. Guests that share a listener get them
/// one by one, so that no guest takes those of the others.
const BATCH: usize = 64;

/// The time that a connection waits for a guest that has fewer.
const OTHERS_FIRST: Duration = Duration::from_millis(1);

/// Takes connections from a listener: all that wait, up to the number that the guest
/// has asked for. `N` is the bindings' name of the guest's socket.
pub(super) struct Accepting<A: Acceptor, N> {
    listener: Arc<Listener<A>>,
    guard: Arc<AccessGuard>,
    stop: StopHandle,
    /// The listener, for the events of its connections.
    source: ListenSource,
    /// The listener's own permit, kept as long as this stream.
    _permit: Arc<SocketPermit>,
    /// A connection taken for a read of length zero, which only asks whether there
    /// is one.
    next: Option<Admitted<A>>,
    /// The end of the time in which the other guests accept first.
    others_first: Option<Pin<Box<Sleep>>>,
    headroom: Headroom,
    name: PhantomData<fn() -> N>,
}

/// A connection, or the reason why there is none, with its permit.
type Admitted<A> = (Result<<A as Acceptor>::Accepted, ErrorCode>, SocketPermit);

impl<A: Acceptor, N> Accepting<A, N> {
    pub(super) fn new(
        listener: Arc<Listener<A>>,
        permit: Arc<SocketPermit>,
        ctx: &StreamsCtx,
        source: ListenSource,
    ) -> Self {
        Self {
            listener,
            guard: Arc::clone(&ctx.guard),
            stop: ctx.stop.clone(),
            source,
            _permit: permit,
            next: None,
            others_first: None,
            headroom: Headroom::default(),
            name: PhantomData,
        }
    }

    /// Waits until `next` holds a connection or an error. Returns `false` when the
    /// listener is closed.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.next.is_none() {
            ready!(self.poll_turn(cx));
            self.next = match ready!(self.listener.poll_accept(cx)) {
                None => return Poll::Ready(false),
                Some(Ok(accepted)) => self.admit(accepted),
                Some(Err(error)) => {
                    Some((Err(refusal(error)), self.guard.permit_without_descriptor()))
                }
            };
        }
        Poll::Ready(true)
    }

    /// Waits, if this guest has more than its share of the connections, so that another one
    /// takes the connection that is waiting. Guests that are busy delay it by [`OTHERS_FIRST`].
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.others_first.is_none() && self.listener.leaves_to_others() {
            self.others_first = Some(Box::pin(tokio::time::sleep(OTHERS_FIRST)));
        }
        if let Some(wait) = &mut self.others_first {
            ready!(wait.as_mut().poll(cx));
            self.others_first = None;
        }
        Poll::Ready(())
    }

    /// Turns a connection beyond a limit or a quota away.
    fn admit(&mut self, accepted: A::Accepted) -> Option<Admitted<A>> {
        let peer = A::peer(&accepted);
        let permit = match self.headroom.take_one() {
            Ok(()) => self
                .guard
                .permit_to_accept(|time| self.stop.close_idle(time)),
            Err(reached) => {
                self.guard.connection_denied(reached);
                None
            }
        };
        let permit = permit.filter(|permit| self.guard.count_accepted(permit, peer));
        if permit.is_none() {
            A::turn_away(&accepted);
        }
        let permit = permit?;
        self.listener.count(&permit);
        self.guard.accepted(&permit, peer, &self.source);
        Some((Ok(accepted), permit))
    }
}

impl<A: Acceptor, N> Drop for Accepting<A, N> {
    /// Turns a connection away that the guest has never got.
    fn drop(&mut self) {
        if let Some((Ok(connection), _)) = &self.next {
            A::turn_away(connection);
        }
    }
}

// Nothing in it is pinned.
impl<A: Acceptor, N> Unpin for Accepting<A, N> {}

impl<A: Acceptor, N: 'static, D: StreamsView> StreamProducer<D> for Accepting<A, N> {
    type Item = Resource<N>;
    type Buffer = VecBuffer<Resource<N>>;

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
            self.headroom.look(&mut store);
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
            batch.push(table::push(view.table, socket)?);
            // The next accept would fail in the same way, such as for want of
            // descriptors: the guest decides when to try again.
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

//! What the streams of a socket have of its connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::StreamSocket;
use crate::access::OpenSend;

/// A connection that its socket's streams may use, until it is taken from them.
pub(crate) struct Lease(Mutex<State>);

struct State {
    connection: Option<Arc<StreamSocket>>,
    receiving: Option<Waker>,
    sending: Option<Waker>,
    send: Option<OpenSend>,
}

impl Lease {
    pub(super) fn new(connection: Arc<StreamSocket>) -> Lease {
        Lease(Mutex::new(State {
            connection: Some(connection),
            receiving: None,
            sending: None,
            send: None,
        }))
    }

    /// Takes the connection away, and wakes who waits for it.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.connection = None;
        state.send = None;
        let wakers = [state.receiving.take(), state.sending.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Does something with the connection; none when it was taken.
    pub(super) fn with<T>(&self, act: impl FnOnce(&StreamSocket) -> T) -> Option<T> {
        self.state().connection.as_deref().map(act)
    }

    /// Does what the receiving half has to do; none when the connection was taken.
    pub(super) fn receiving<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        self.state().poll(|state| &mut state.receiving, cx, work)
    }

    /// Does what the sending half has to do; none when the connection was taken.
    pub(super) fn sending<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        self.state().poll(|state| &mut state.sending, cx, work)
    }

    /// There is a sending half.
    pub(super) fn begin_send(&self) {
        let mut state = self.state();
        state.send = (state.connection.as_ref())
            .map(|connection| OpenSend::new(connection.permit().stats().clone()));
    }

    /// The sending half is finished.
    pub(super) fn end_send(&self) {
        self.state().send = None;
    }

    /// No code panics while it holds this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Does the work of a half, whose waker is kept where it has to wait.
    fn poll<T>(
        &mut self,
        half: impl FnOnce(&mut State) -> &mut Option<Waker>,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        let Some(connection) = &self.connection else {
            return Poll::Ready(None);
        };
        let polled = work(connection, cx).map(Some);
        if polled.is_pending() {
            keep(half(self), cx);
        }
        polled
    }
}

/// Keeps the waker of whoever waits.
fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

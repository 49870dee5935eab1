//! A connected socket in the guest's table, and how its streams borrow it.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::{StreamSocket, code};
use crate::access::OpenSend;
use crate::lock::lock;
use crate::sockets::stop::StopHandle;

/// A connected socket in the guest's table, and which of its halves a stream has.
pub(crate) struct ConnectedSocket {
    socket: Arc<StreamSocket>,
    lease: Arc<Lease>,
    /// `receive` was called.
    receiving: bool,
    /// `send` was called.
    sending: bool,
}

impl ConnectedSocket {
    pub(crate) fn new(socket: StreamSocket, stop: &StopHandle) -> ConnectedSocket {
        let socket = Arc::new(socket);
        stop.connected(Arc::clone(&socket) as _);
        ConnectedSocket {
            lease: Arc::new(Lease::new(Arc::clone(&socket))),
            socket,
            receiving: false,
            sending: false,
        }
    }

    pub(crate) fn socket(&self) -> &StreamSocket {
        &self.socket
    }

    /// Lends the socket to a stream that receives; only once.
    pub(crate) fn receive(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        match std::mem::replace(&mut self.receiving, true) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(Arc::clone(&self.lease)),
        }
    }

    /// Lends the socket to a stream that sends; only once.
    pub(crate) fn send(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        match std::mem::replace(&mut self.sending, true) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(Arc::clone(&self.lease)),
        }
    }

    /// Sends as much as the kernel has room for, unless a stream sends.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> Result<usize, ErrorCode> {
        if self.sending {
            return Err(ErrorCode::InvalidState);
        }
        let sent = self.socket.send_now(bytes).map_err(code)?;
        self.socket.permit().stats().sent(sent);
        Ok(sent)
    }

    /// Receives bytes that have arrived, unless a stream receives. Returns `None` when
    /// none have, and an empty list at the end of the data.
    pub(crate) fn receive_now(&self, length: u64) -> Result<Option<Vec<u8>>, ErrorCode> {
        if self.receiving {
            return Err(ErrorCode::InvalidState);
        }
        let received = self.socket.receive_now(length).map_err(code)?;
        let count = received.as_ref().map_or(0, Vec::len);
        self.socket.permit().stats().received(count);
        Ok(received)
    }

    /// Fails unless both halves are open, as a TLS session needs them.
    pub(crate) fn check_session(&self) -> Result<(), ErrorCode> {
        match self.socket.is_open() {
            true => Ok(()),
            false => Err(ErrorCode::InvalidState),
        }
    }

    /// Takes the socket away from its streams, which end.
    pub(crate) fn detach(self) -> Arc<StreamSocket> {
        self.lease.end();
        self.socket
    }
}

/// A socket that streams may use until it is taken from them.
///
/// A TLS session takes it: then the guest's streams end, and the session is the only
/// user of the socket.
pub(crate) struct Lease(Mutex<LeaseState>);

struct LeaseState {
    /// `None` once the socket was taken.
    socket: Option<Arc<StreamSocket>>,
    /// The stream that waits for bytes.
    receiving: Option<Waker>,
    /// The stream that waits for room.
    sending: Option<Waker>,
    /// Counted while a stream sends.
    send: Option<OpenSend>,
}

impl Lease {
    pub(crate) fn new(socket: Arc<StreamSocket>) -> Lease {
        Lease(Mutex::new(LeaseState {
            socket: Some(socket),
            receiving: None,
            sending: None,
            send: None,
        }))
    }

    /// Takes the socket away and wakes the streams that wait for it.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.0);
        state.socket = None;
        state.send = None;
        let wakers = [state.receiving.take(), state.sending.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Calls `act` with the socket, unless it was taken.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&StreamSocket) -> T) -> Option<T> {
        lock(&self.0).socket.as_deref().map(act)
    }

    /// Polls `work` for the stream that receives. Returns `None` when the socket was
    /// taken.
    pub(crate) fn receiving<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        lock(&self.0).poll(|state| &mut state.receiving, cx, work)
    }

    /// Polls `work` for the stream that sends. Returns `None` when the socket was
    /// taken.
    pub(crate) fn sending<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        lock(&self.0).poll(|state| &mut state.sending, cx, work)
    }

    /// Counts a sending half.
    pub(crate) fn begin_send(&self) {
        let mut state = lock(&self.0);
        state.send =
            (state.socket.as_ref()).map(|socket| OpenSend::new(socket.permit().stats().clone()));
    }

    /// Ends counting the sending half.
    pub(crate) fn end_send(&self) {
        lock(&self.0).send = None;
    }
}

impl LeaseState {
    /// Polls `work`, and keeps the waker of the half if it has to wait.
    fn poll<T>(
        &mut self,
        half: impl FnOnce(&mut LeaseState) -> &mut Option<Waker>,
        cx: &mut Context<'_>,
        work: impl FnOnce(&StreamSocket, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        let Some(socket) = &self.socket else {
            return Poll::Ready(None);
        };
        let polled = work(socket, cx).map(Some);
        if polled.is_pending() {
            keep(half(self), cx);
        }
        polled
    }
}

/// Stores the waker of `cx`, reusing what is there.
fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

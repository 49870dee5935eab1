//! A session as its handle, its streams and whoever closes it share it.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::convert::code;
use super::wakers::Wakers;
use super::wire::SessionTransport;
use crate::Stats;
use crate::access::OpenSend;
use crate::imports::asyncio_host::bindings::tls::ErrorCode;
use crate::sockets::stream;
use crate::tls::{Endpoint, Handshake, Session};

/// How a half of a session ended, or all of it.
pub(super) type Outcome = Result<(), ErrorCode>;

/// The socket is not in the state for it.
pub(super) const INVALID_STATE: ErrorCode = ErrorCode::Socket(SocketError::InvalidState);
/// The guest has cut the session short.
pub(super) const ABORTED: ErrorCode = ErrorCode::Socket(SocketError::ConnectionAborted);

/// What is read at a time to be dropped.
const SCRATCH: usize = 4096;
/// So often, before others have their turn.
const TURNS: usize = 16;

/// A session. It keeps the connection until it is over.
pub(super) struct SharedSession {
    state: Mutex<State>,
    wakers: Arc<Wakers>,
    stats: Stats,
    /// PortOwner end the session's phase decides about.
    connection: Weak<stream::StreamSocket>,
}

struct State {
    phase: Phase,
    /// `receive` was called.
    receives: bool,
    /// How the peer's half has ended, to be told to each who reads on.
    received: Option<Outcome>,
    sending: Sending,
    /// Counted until the end of the data is sent.
    open: Option<OpenSend>,
    /// The session has taken bytes that the system has not.
    unflushed: bool,
    /// What comes is for whoever closes.
    closing: bool,
}

enum Phase {
    New(Beginning),
    Handshaking,
    Open(Box<dyn Session>),
    /// Without a connection any more, and why.
    Over(ErrorCode),
}

struct Beginning {
    endpoint: Arc<dyn Endpoint>,
    wire: SessionTransport,
    server_name: Option<String>,
}

enum Sending {
    Unused,
    Open,
    /// There is no more to come; the peer is yet to be told.
    Ended,
    Done(Outcome),
}

impl SharedSession {
    pub(super) fn new(
        connection: Arc<stream::StreamSocket>,
        endpoint: Arc<dyn Endpoint>,
        received: Vec<u8>,
        server_name: Option<String>,
    ) -> SharedSession {
        SharedSession {
            wakers: Arc::default(),
            stats: connection.permit().stats().clone(),
            connection: Arc::downgrade(&connection),
            state: Mutex::new(State {
                phase: Phase::New(Beginning {
                    endpoint,
                    wire: SessionTransport::new(connection, received),
                    server_name,
                }),
                receives: false,
                received: None,
                sending: Sending::Unused,
                open: None,
                unflushed: false,
                closing: false,
            }),
        }
    }

    /// Its handshake, once; what that comes to goes to [`open`](Self::open) or
    /// [`end`](Self::end).
    pub(super) fn begin(&self) -> Result<Handshake, ErrorCode> {
        let mut state = self.state();
        match std::mem::replace(&mut state.phase, Phase::Handshaking) {
            Phase::New(beginning) => {
                let wire = Box::new(beginning.wire);
                Ok(beginning.endpoint.handshake(wire, beginning.server_name))
            }
            other => {
                state.phase = other;
                Err(INVALID_STATE)
            }
        }
    }

    /// The handshake is done.
    pub(super) fn open(&self, session: Box<dyn Session>) {
        let mut state = self.state();
        if let Phase::Handshaking = state.phase {
            state.phase = Phase::Open(session);
        }
    }

    /// Ends the session where it is, and the connection with it.
    pub(super) fn end(&self, why: ErrorCode) {
        let mut state = self.state();
        if let Phase::Over(_) = state.phase {
            return;
        }
        if !matches!(state.sending, Sending::Done(_)) {
            state.sending = Sending::Done(Err(why.clone()));
        }
        let open = state.open.take();
        let phase = std::mem::replace(&mut state.phase, Phase::Over(why));
        drop(state);
        drop((phase, open));
        self.wakers.wake_all();
        self.wakers.received.wake();
    }

    /// Waits until there is no session any more: why.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<ErrorCode> {
        self.wakers.received.register(cx.waker());
        match &self.state().phase {
            Phase::Over(why) => Poll::Ready(why.clone()),
            _ => Poll::Pending,
        }
    }

    /// The guest wants to receive, once.
    pub(super) fn begin_receive(&self) -> Outcome {
        let mut state = self.state();
        state.session()?;
        match std::mem::replace(&mut state.receives, true) {
            true => Err(INVALID_STATE),
            false => Ok(()),
        }
    }

    /// The guest wants to send, once.
    pub(super) fn begin_send(&self) -> Outcome {
        let mut state = self.state();
        state.session()?;
        match state.sending {
            Sending::Unused => {
                state.sending = Sending::Open;
                state.open = Some(OpenSend::new(self.stats.clone()));
                Ok(())
            }
            _ => Err(INVALID_STATE),
        }
    }

    /// There is no more to be sent.
    pub(super) fn end_send(&self) {
        let mut state = self.state();
        if let Sending::Open = state.sending {
            state.sending = Sending::Ended;
            drop(state);
            self.wakers.wake_all();
        }
    }

    /// Receives as much as has come and `into` has room for; nothing at the end of
    /// the session. What comes after some bytes is for the next call.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, ErrorCode>> {
        self.wakers.receiving.register(cx.waker());
        let mut state = self.state();
        if state.closing {
            return Poll::Ready(Err(ABORTED));
        }
        let mut into = ReadBuf::new(into);
        let received = self.poll_read(&mut state, &mut into);
        let count = into.filled().len();
        self.stats.received(count);
        received.map_ok(|()| count)
    }

    /// Drops what comes, until there is an end.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.closing.register(cx.waker());
        let mut state = self.state();
        let mut scratch = [0; SCRATCH];
        for _ in 0..TURNS {
            let mut into = ReadBuf::new(&mut scratch);
            ready!(self.poll_read(&mut state, &mut into))?;
            if into.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_read(&self, state: &mut State, into: &mut ReadBuf<'_>) -> Poll<Outcome> {
        let waker = self.wakers.all();
        let mut cx = Context::from_waker(&waker);
        while state.received.is_none() && into.remaining() > 0 {
            let before = into.filled().len();
            match Pin::new(state.session()?).poll_read(&mut cx, into) {
                Poll::Pending if before == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(())) if into.filled().len() > before => {}
                Poll::Ready(ended) => state.received = Some(ended.map_err(code)),
            }
        }
        match &state.received {
            Some(ended) if into.filled().is_empty() => Poll::Ready(ended.clone()),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Hands bytes to the session, which may keep them until they are flushed.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, ErrorCode>> {
        self.wakers.sending.register(cx.waker());
        let mut state = self.state();
        let sent = self.poll_write(&mut state, |session, cx| {
            session.poll_write(cx, bytes).map(|sent| match sent {
                Ok(0) if !bytes.is_empty() => Err(ErrorKind::WriteZero.into()),
                sent => sent,
            })
        });
        if let Poll::Ready(Ok(count)) = sent {
            state.unflushed = true;
            self.stats.sent(count);
        }
        sent
    }

    /// Waits until the system has all that the session was inherited.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.sending.register(cx.waker());
        self.poll_flush_here(&mut self.state())
    }

    fn poll_flush_here(&self, state: &mut State) -> Poll<Outcome> {
        if state.unflushed {
            ready!(self.poll_write(state, |session, cx| session.poll_flush(cx)))?;
            state.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until all is sent, and the end of it.
    pub(super) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.sent.register(cx.waker());
        self.poll_end()
    }

    /// As [`poll_sent`](Self::poll_sent), for whoever closes.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.closing.register(cx.waker());
        self.poll_end()
    }

    fn poll_end(&self) -> Poll<Outcome> {
        let mut state = self.state();
        match &state.sending {
            Sending::Done(outcome) => return Poll::Ready(outcome.clone()),
            Sending::Unused => return Poll::Pending,
            Sending::Open => {
                // What a write that was given up has left.
                ready!(self.poll_flush_here(&mut state))?;
                return Poll::Pending;
            }
            Sending::Ended => {}
        }
        ready!(self.poll_write(&mut state, |session, cx| session.poll_shutdown(cx)))?;
        if let Some(connection) = self.connection.upgrade() {
            connection.complete();
        }
        self.sent(&mut state, Ok(()));
        Poll::Ready(Ok(()))
    }

    /// Has the session send something; an error ends the sending half.
    fn poll_write<T>(
        &self,
        state: &mut State,
        write: impl FnOnce(Pin<&mut dyn Session>, &mut Context<'_>) -> Poll<std::io::Result<T>>,
    ) -> Poll<Result<T, ErrorCode>> {
        if let Sending::Done(Err(why)) = &state.sending {
            return Poll::Ready(Err(why.clone()));
        }
        let waker = self.wakers.all();
        let mut cx = Context::from_waker(&waker);
        let session = state.session()?;
        let written = ready!(write(Pin::new(&mut **session), &mut cx)).map_err(code);
        if let Err(why) = &written {
            self.sent(state, Err(why.clone()));
        }
        Poll::Ready(written)
    }

    fn sent(&self, state: &mut State, outcome: Outcome) {
        state.sending = Sending::Done(outcome);
        state.open = None;
        self.wakers.wake_all();
    }

    /// From now on what comes is of no use, and nothing more is sent that was not
    /// begun.
    pub(super) fn begin_close(&self) -> Outcome {
        let mut state = self.state();
        state.session()?;
        state.closing = true;
        if let Sending::Unused = state.sending {
            state.sending = Sending::Ended;
        }
        drop(state);
        self.wakers.wake_all();
        Ok(())
    }

    /// No code panics while it holds this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn session(&mut self) -> Result<&mut Box<dyn Session>, ErrorCode> {
        match &mut self.phase {
            Phase::Open(session) => Ok(session),
            Phase::Over(why) => Err(why.clone()),
            Phase::New(_) | Phase::Handshaking => Err(INVALID_STATE),
        }
    }
}

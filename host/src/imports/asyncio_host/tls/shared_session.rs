//! A session, shared by its handle, its streams and a call that closes it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::super::bindings::tls::ErrorCode;
use super::carrier::Carrier;
use super::convert::code;
use super::wakers::Wakers;
use crate::access::{Charge, OpenSend, Stats};
use crate::lock::lock;
use crate::sockets::stream;
use crate::tls::{Endpoint, Handshake, Session, Transport};

/// The end of a half of a session, or of all of it.
pub(super) type Outcome = Result<(), ErrorCode>;

/// The operation does not fit the state of the session.
pub(super) const INVALID_STATE: ErrorCode = ErrorCode::Socket(SocketError::InvalidState);
/// The guest has cut the session short.
pub(super) const ABORTED: ErrorCode = ErrorCode::Socket(SocketError::ConnectionAborted);

/// The most sessions inside one another. Each reads and writes in the calls of the next
/// one, so that they share a stack.
const MOST_LEVELS: usize = 8;

/// Bytes read at a time when they are discarded.
const SCRATCH: usize = 4096;
/// Reads in a turn, before other tasks have theirs.
const TURNS: usize = 16;

/// A session. It keeps the socket until it is over.
pub(super) struct SharedSession {
    state: Mutex<SessionState>,
    wakers: Arc<Wakers>,
    stats: Stats,
    /// The socket, to be marked complete and for its options. The session's transport
    /// keeps it open. Dangling if another session carries this one.
    socket: Weak<stream::StreamSocket>,
    /// The session that carries this one, if it is not a socket.
    outer: Option<Arc<SharedSession>>,
    /// The end of the socket counts as the end of the peer's half.
    ignore_eof: bool,
    /// The memory that the session takes.
    _charge: Charge,
}

struct SessionState {
    phase: Phase,
    /// `receive` was called.
    receives: bool,
    /// A byte received for a read of length zero: rustls does not tell whether there is
    /// one without giving it out.
    first: Option<u8>,
    /// The session carries another one, which alone uses it. The guest's streams have
    /// ended.
    carries: bool,
    /// The end of the peer's half, which every later read returns.
    received: Option<Outcome>,
    sending: Sending,
    /// Counts the sending half until the end of the data is sent.
    open: Option<OpenSend>,
    /// The session has taken bytes that the kernel has not got.
    unflushed: bool,
    /// Sending our end has failed, and nothing else was left to send. That is an error
    /// unless the peer has ended its half.
    unended: Option<ErrorCode>,
    /// A call that closes discards received bytes.
    closing: bool,
}

enum Phase {
    New(Beginning),
    Handshaking,
    Open(Box<dyn Session>),
    /// The session has no socket any more, for this reason.
    Over(ErrorCode),
}

struct Beginning {
    endpoint: Arc<dyn Endpoint>,
    wire: Box<dyn Transport>,
    server_name: Option<String>,
}

enum Sending {
    Unused,
    Open,
    /// The guest has sent all data, and the peer has not been told yet.
    Ended,
    Done(Outcome),
}

impl SharedSession {
    pub(super) fn new(
        carrier: Carrier,
        endpoint: Arc<dyn Endpoint>,
        received: Vec<u8>,
        server_name: Option<String>,
        ignore_eof: bool,
        charge: Charge,
    ) -> SharedSession {
        let stats = carrier.stats().clone();
        let (socket, outer) = match &carrier {
            Carrier::Socket(socket) => (Arc::downgrade(socket), None),
            Carrier::Session(outer) => (Weak::new(), Some(Arc::clone(outer))),
        };
        SharedSession {
            wakers: Arc::default(),
            stats,
            socket,
            outer,
            ignore_eof,
            _charge: charge,
            state: Mutex::new(SessionState {
                phase: Phase::New(Beginning {
                    endpoint,
                    wire: carrier.transport(received),
                    server_name,
                }),
                receives: false,
                first: None,
                carries: false,
                received: None,
                sending: Sending::Unused,
                open: None,
                unflushed: false,
                unended: None,
                closing: false,
            }),
        }
    }

    /// The socket below the session, until the session is over.
    pub(super) fn socket(&self) -> Result<Arc<stream::StreamSocket>, SocketError> {
        match &self.outer {
            Some(outer) => outer.socket(),
            None => self.socket.upgrade().ok_or(SocketError::InvalidState),
        }
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Starts the handshake, once. Its result goes to [`open`](Self::open) or
    /// [`end`](Self::end).
    pub(super) fn begin(&self) -> Result<Handshake, ErrorCode> {
        let mut state = self.state();
        match std::mem::replace(&mut state.phase, Phase::Handshaking) {
            Phase::New(beginning) => {
                let Beginning {
                    endpoint,
                    wire,
                    server_name,
                } = beginning;
                Ok(endpoint.handshake(wire, server_name))
            }
            other => {
                state.phase = other;
                Err(INVALID_STATE)
            }
        }
    }

    /// Takes the session of a finished handshake.
    pub(super) fn open(&self, session: Box<dyn Session>) {
        let mut state = self.state();
        if let Phase::Handshaking = state.phase {
            state.phase = Phase::Open(session);
        }
    }

    /// Ends the session at once, and the socket with it.
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

    /// Waits until the session is over. Returns the reason.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<ErrorCode> {
        self.wakers.received.register(cx.waker());
        match &self.state().phase {
            Phase::Over(why) => Poll::Ready(why.clone()),
            _ => Poll::Pending,
        }
    }

    /// Starts receiving; only once.
    pub(super) fn begin_receive(&self) -> Outcome {
        let mut state = self.state();
        state.session()?;
        match std::mem::replace(&mut state.receives, true) {
            true => Err(INVALID_STATE),
            false => Ok(()),
        }
    }

    /// Starts sending; only once.
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

    /// Ends the guest's data.
    pub(super) fn end_send(&self) {
        let mut state = self.state();
        if let Sending::Open = state.sending {
            state.sending = Sending::Ended;
            drop(state);
            self.wakers.wake_all();
        }
    }

    /// Receives as many bytes as have arrived and `into` has room for. Returns 0 at the
    /// end of the session. An end behind some bytes is for the next call.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, ErrorCode>> {
        self.wakers.receiving.register(cx.waker());
        let mut state = self.state();
        if state.carries {
            return Poll::Ready(Ok(0));
        }
        if state.closing {
            return Poll::Ready(Err(ABORTED));
        }
        let mut into = ReadBuf::new(into);
        let received = self.poll_read(&mut state, &mut into);
        let count = into.filled().len();
        self.stats.received(count);
        received.map_ok(|()| count)
    }

    /// Waits until [`poll_receive`](Self::poll_receive) has a byte or a result.
    pub(super) fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.wakers.receiving.register(cx.waker());
        let mut state = self.state();
        if state.first.is_none() && !state.carries && !state.closing {
            let mut byte = [0];
            let mut into = ReadBuf::new(&mut byte);
            // An end or an error is met again by the next read.
            drop(ready!(self.poll_read(&mut state, &mut into)));
            state.first = into.filled().first().copied();
        }
        Poll::Ready(())
    }

    /// Discards received bytes until the peer's half ends.
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

    fn poll_read(&self, state: &mut SessionState, into: &mut ReadBuf<'_>) -> Poll<Outcome> {
        let waker = self.wakers.all();
        let mut cx = Context::from_waker(&waker);
        state.take_first(into);
        while state.received.is_none() && into.remaining() > 0 {
            let before = into.filled().len();
            let session = match state.session() {
                Err(_) if before > 0 => break,
                session => session?,
            };
            match Pin::new(session).poll_read(&mut cx, into) {
                Poll::Pending if before == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(())) if into.filled().len() > before => {}
                Poll::Ready(ended) => self.half_ended(state, ended.map_err(code)),
            }
        }
        match &state.received {
            Some(ended) if into.filled().is_empty() => Poll::Ready(ended.clone()),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The peer's half has ended.
    fn half_ended(&self, state: &mut SessionState, ended: Outcome) {
        state.received = Some(match ended {
            Err(ErrorCode::UnexpectedEof) if self.ignore_eof => Ok(()),
            ended => ended,
        });
        if state.unended.is_some() {
            // The outcome of our half depends on it.
            self.wakers.wake_all();
        }
    }

    /// Gives bytes to the session, which may keep them until a flush.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, ErrorCode>> {
        self.wakers.sending.register(cx.waker());
        let mut state = self.state();
        if state.carries {
            return Poll::Ready(Err(ABORTED));
        }
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

    /// Waits until the kernel has all bytes of the session.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.sending.register(cx.waker());
        self.poll_flush_here(&mut self.state())
    }

    fn poll_flush_here(&self, state: &mut SessionState) -> Poll<Outcome> {
        if state.unflushed {
            ready!(self.poll_write(state, |session, cx| session.poll_flush(cx)))?;
            state.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until all data and its end are sent.
    pub(super) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.sent.register(cx.waker());
        self.poll_end()
    }

    /// The same as [`poll_sent`](Self::poll_sent), for a call that closes.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.wakers.closing.register(cx.waker());
        self.poll_end()
    }

    /// Why our end could not be sent, as long as it depends on the peer's half whether that
    /// is an error.
    pub(super) fn unended(&self) -> Option<ErrorCode> {
        self.state().unended.clone()
    }

    fn poll_end(&self) -> Poll<Outcome> {
        let mut state = self.state();
        if state.carries && !state.closing {
            return Poll::Ready(Ok(()));
        }
        match &state.sending {
            Sending::Done(outcome) => return Poll::Ready(outcome.clone()),
            Sending::Unused => return Poll::Pending,
            Sending::Open => {
                // Bytes that a cancelled write has left in the session.
                ready!(self.poll_flush_here(&mut state))?;
                return Poll::Pending;
            }
            Sending::Ended => {}
        }
        if state.unended.is_none() {
            ready!(self.poll_flush_here(&mut state))?;
            let waker = self.wakers.all();
            let mut cx = Context::from_waker(&waker);
            let ended = Pin::new(state.session()?).poll_shutdown(&mut cx);
            state.unended = ready!(ended).err().map(code);
        }
        let outcome = match (state.unended.clone(), &state.received) {
            (None, _) => {
                if let Some(socket) = self.socket.upgrade() {
                    socket.complete();
                }
                Ok(())
            }
            // The peer has ended the session and closed the connection. Nothing of ours
            // is missing but the end.
            (Some(ErrorCode::Socket(_)), Some(Ok(()))) => Ok(()),
            // Reading on tells whether the peer has ended its half.
            (Some(ErrorCode::Socket(_)), None) => return Poll::Pending,
            (Some(why), _) => Err(why),
        };
        self.sent(&mut state, outcome.clone());
        Poll::Ready(outcome)
    }

    /// Calls `write` on the session. An error ends the sending half.
    fn poll_write<T>(
        &self,
        state: &mut SessionState,
        write: impl FnOnce(Pin<&mut dyn Session>, &mut Context<'_>) -> Poll<io::Result<T>>,
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

    fn sent(&self, state: &mut SessionState, outcome: Outcome) {
        state.sending = Sending::Done(outcome);
        state.open = None;
        self.wakers.wake_all();
    }

    /// Starts closing: received bytes are discarded, and no new stream sends.
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

    /// The session that carries this one.
    pub(super) fn outer(&self) -> Option<&Arc<SharedSession>> {
        self.outer.as_ref()
    }

    /// Checks that the session can carry another one.
    pub(super) fn check_carrier(&self) -> Outcome {
        let levels = std::iter::successors(Some(self), |inner| inner.outer.as_deref());
        if levels.count() >= MOST_LEVELS {
            return Err(ErrorCode::InvalidArgument(format!(
                "there are {MOST_LEVELS} sessions inside one another already, which is the most"
            )));
        }
        let mut state = self.state();
        state.session()?;
        match (&state.received, &state.sending) {
            _ if state.closing => Err(INVALID_STATE),
            (Some(Err(why)), _) | (_, Sending::Done(Err(why))) => Err(why.clone()),
            (_, Sending::Ended | Sending::Done(Ok(()))) => Err(INVALID_STATE),
            (_, Sending::Unused | Sending::Open) => Ok(()),
        }
    }

    /// Takes the session from its streams, which end. From now on it carries another one.
    pub(super) fn carry(&self) {
        let mut state = self.state();
        state.carries = true;
        state.sending = Sending::Unused;
        let open = state.open.take();
        drop(state);
        drop(open);
        self.wakers.wake_all();
    }

    /// Returns whether the session carries another one.
    pub(super) fn is_carrier(&self) -> bool {
        self.state().carries
    }

    /// Reads for the session that this one carries.
    pub(super) fn poll_read_carried(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.take_first(into) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(state.carrying()?).poll_read(cx, into)
    }

    /// Writes for the session that this one carries, by `write`.
    pub(super) fn poll_write_carried<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut dyn Session>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let session = state.carrying()?;
        write(Pin::new(&mut **session), cx)
    }

    fn state(&self) -> MutexGuard<'_, SessionState> {
        lock(&self.state)
    }
}

impl SessionState {
    /// Stores the byte that was received before. Returns whether there was one.
    fn take_first(&mut self, into: &mut ReadBuf<'_>) -> bool {
        if into.remaining() > 0
            && let Some(first) = self.first.take()
        {
            into.put_slice(&[first]);
            return true;
        }
        false
    }

    /// The session, for the one that it carries.
    fn carrying(&mut self) -> io::Result<&mut Box<dyn Session>> {
        match &mut self.phase {
            Phase::Open(session) => Ok(session),
            _ => Err(ErrorKind::ConnectionAborted.into()),
        }
    }

    fn session(&mut self) -> Result<&mut Box<dyn Session>, ErrorCode> {
        match &mut self.phase {
            Phase::Open(session) => Ok(session),
            Phase::Over(why) => Err(why.clone()),
            Phase::New(_) | Phase::Handshaking => Err(INVALID_STATE),
        }
    }
}

//! The end of a connection.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};

use super::Connection;
use crate::error::ErrorCode;
use crate::runtime::waiters::Waiters;

thread_local! {
    /// Bytes that transports have taken, to see whether anything still moves.
    pub(super) static SENT: Cell<u64> = const { Cell::new(0) };
    /// Connections that are being closed and are not closed yet.
    static CLOSING: Cell<usize> = const { Cell::new(0) };
    static ALL_CLOSED: Waiters = Waiters::default();
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum State {
    Open,
    /// `close` was called: send what is buffered, then close.
    Closing,
    /// `abort` was called or the connection failed: close now.
    Aborting,
    /// The transport is gone.
    Closed,
}

/// The end of a connection.
impl Connection {
    pub(crate) fn close(&self) {
        if self.state.get() == State::Open {
            let rests = self.wakers.take_rest();
            {
                // Between two reads nobody has looked what came.
                let mut read = self.read.borrow_mut();
                read.last_look |= rests && read.open();
            }
            self.leave(State::Closing);
            self.wake_everybody();
        }
    }

    pub(crate) fn abort(&self) {
        if matches!(self.state.get(), State::Open | State::Closing) {
            self.leave(State::Aborting);
            {
                let mut write = self.write.borrow_mut();
                write.discarded = write.size() > 0;
                write.clear();
            }
            self.read.borrow_mut().buffer.set_ended(true);
            self.wake_everybody();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.get() != State::Open || self.failed()
    }

    pub(crate) async fn wait_closed(&self) -> Result<(), ErrorCode> {
        self.closing.wait_until(|| self.closed()).await
    }

    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        self.closing.poll(cx, || self.closed())
    }

    fn closed(&self) -> Option<Result<(), ErrorCode>> {
        (self.state.get() == State::Closed).then(|| match &*self.failure.borrow() {
            Some(code) => Err(code.clone()),
            None => Ok(()),
        })
    }

    /// The transport is gone: what has not arrived will not be read.
    pub(crate) fn finished(&self) {
        self.leave(State::Closed);
        self.upgrade.take();
        {
            let mut read = self.read.borrow_mut();
            if read.error.is_none() && !read.buffer.ended() {
                // Nobody has seen the end of the data of a connection that
                // failed.
                read.error = self.failure.borrow().clone();
                let ended = read.error.is_none();
                read.buffer.set_ended(ended);
            }
        }
        self.wake_everybody();
        self.closing.wake_all();
    }

    /// Nothing more can be sent. What the peer has sent can still be received:
    /// its last words may say why.
    pub(super) fn fail_sending(&self, code: ErrorCode) {
        self.failure.borrow_mut().get_or_insert(code);
        self.write.borrow_mut().clear();
        self.wake_everybody();
    }

    pub(super) fn failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// The connection is lost: the reader keeps what it has, what was written
    /// and not sent is gone.
    pub(super) fn fail(&self, code: ErrorCode) {
        if matches!(self.state.get(), State::Aborting | State::Closed) {
            return;
        }
        self.leave(State::Aborting);
        self.failure.borrow_mut().get_or_insert(code.clone());
        self.write.borrow_mut().clear();
        {
            let mut read = self.read.borrow_mut();
            read.ended_before_error = read.buffer.ended();
            read.buffer.set_ended(false);
            read.error = Some(code);
        }
        self.wake_everybody();
    }
    /// On to `state`, which is a later one.
    fn leave(&self, state: State) {
        let before = self.state.replace(state);
        let closing = |state| matches!(state, State::Closing | State::Aborting);
        let left = CLOSING.with(|count| {
            match (closing(before), closing(state)) {
                (false, true) => count.set(count.get() + 1),
                (true, false) => count.set(count.get().saturating_sub(1)),
                _ => {}
            }
            count.get()
        });
        if left == 0 {
            ALL_CLOSED.with(|waiters| waiters.wake_all());
        }
    }

    fn wake_everybody(&self) {
        self.wakers.receive();
        self.wakers.wake_reader();
        self.draining.wake_all();
    }
}

/// Waits until every connection that is being closed is closed.
pub(crate) async fn all_closed() {
    poll_fn(|cx| {
        ALL_CLOSED.with(|waiters| waiters.poll(cx, || (CLOSING.with(Cell::get) == 0).then_some(())))
    })
    .await;
}

/// How many bytes transports have taken so far.
pub(crate) fn total_sent() -> u64 {
    SENT.with(Cell::get)
}

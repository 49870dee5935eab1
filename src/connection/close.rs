//! The end of a connection: `close`, `abort`, failures, and who waits for it.

use std::cell::Cell;
use std::future::poll_fn;

use super::Connection;
use crate::error::ErrorCode;
use crate::runtime::waiters::Waiters;

thread_local! {
    /// Bytes that transports have taken, so that the program's end can see whether
    /// anything still moves.
    pub(super) static SENT: Cell<u64> = const { Cell::new(0) };
    /// Connections that are being closed and are not closed yet.
    static CLOSING: Cell<usize> = const { Cell::new(0) };
    static ALL_CLOSED: Waiters = Waiters::default();
}

/// How far the end has come. A connection only goes on to later states.
///
/// Independent of the receiver: receiving may rest or be held back in each of them, and
/// the loop looks at this state in its next turn.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum State {
    /// Until `close`, `abort` or a failure of receiving. A failure of sending alone leaves
    /// it open: the peer's last words can still be received.
    Open,
    /// `close` was called: what is buffered is sent, then the transport is dropped.
    Closing,
    /// `abort` was called or receiving has failed: the transport is dropped in the task's
    /// next turn.
    Aborting,
    /// The transport is gone.
    Closed,
}

/// The end of a connection. These methods may be called in a synchronous export, so they
/// drop no pending operation: they change the state and wake the task.
impl Connection {
    pub(crate) fn close(&self) {
        if self.state.get() == State::Open {
            self.read.borrow_mut().closed();
            self.leave(State::Closing);
            self.wake_all();
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
            self.read.borrow_mut().aborted();
            self.wake_all();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.get() != State::Open || self.failed()
    }

    pub(crate) async fn wait_closed(&self) -> Result<(), ErrorCode> {
        self.closing.wait_until(|| self.closed()).await
    }

    pub(super) fn closed(&self) -> Option<Result<(), ErrorCode>> {
        (self.state.get() == State::Closed).then(|| match &*self.failure.borrow() {
            Some(code) => Err(code.clone()),
            None => Ok(()),
        })
    }

    /// The transport is gone. Bytes that have not arrived will not be read.
    pub(crate) fn finished(&self) {
        self.leave(State::Closed);
        self.end_upgrade();
        {
            let failure = self.failure.borrow();
            self.read.borrow_mut().transport_gone(failure.as_ref());
        }
        self.wake_all();
        self.closing.wake_all();
    }

    /// Sending has failed. Receiving goes on: the peer's last words may say why.
    pub(super) fn fail_sending(&self, code: ErrorCode) {
        self.failure.borrow_mut().get_or_insert(code);
        self.write.borrow_mut().clear();
        // A `start_tls` that waits for the rest to be sent would wait for ever.
        self.end_upgrade();
        self.wake_all();
    }

    pub(super) fn failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// The connection is lost. The reader keeps what it has; what was written and not
    /// sent is gone.
    pub(crate) fn fail(&self, code: ErrorCode) {
        if matches!(self.state.get(), State::Aborting | State::Closed) {
            return;
        }
        self.leave(State::Aborting);
        self.failure.borrow_mut().get_or_insert(code.clone());
        self.write.borrow_mut().clear();
        self.read.borrow_mut().failed(code);
        self.wake_all();
    }

    /// Goes on to `state`, which is a later one.
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

    /// Has everyone that waits look at the state again: the receive loop, the read that
    /// waits, and the calls of `drain`.
    fn wake_all(&self) {
        self.read.borrow_mut().receiver.rest_over();
        self.wake_ups.wake_to_receive();
        self.wake_ups.wake_read();
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

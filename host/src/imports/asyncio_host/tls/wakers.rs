use std::sync::Arc;
use std::task::Waker;

use futures::task::{ArcWake, AtomicWaker, waker};

/// Who may wait for one session. The system keeps one waker for each direction, a
/// session may write when it is read from and the other way round, and whoever
/// waited last may lose interest first: so all are woken.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) receiving: AtomicWaker,
    pub(super) sending: AtomicWaker,
    /// The future of what is sent.
    pub(super) sent: AtomicWaker,
    pub(super) closing: AtomicWaker,
    /// The future of what is received, which the end alone concerns.
    pub(super) received: AtomicWaker,
}

impl Wakers {
    pub(super) fn wake_all(&self) {
        for one in [&self.receiving, &self.sending, &self.sent, &self.closing] {
            one.wake();
        }
    }

    /// Wakes all of them.
    pub(super) fn all(self: &Arc<Self>) -> Waker {
        waker(Arc::clone(self))
    }
}

impl ArcWake for Wakers {
    fn wake_by_ref(wakers: &Arc<Self>) {
        wakers.wake_all();
    }
}

use std::sync::Arc;
use std::task::Waker;

use futures::task::{ArcWake, AtomicWaker, waker};

/// The tasks that may wait for one session.
///
/// tokio keeps one waker for each direction of a socket, and a session may write when it
/// is read, and read when it is written. The task that waited last may be cancelled
/// first. So an event wakes all of them.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) receiving: AtomicWaker,
    pub(super) sending: AtomicWaker,
    /// The future that resolves when all data is sent.
    pub(super) sent: AtomicWaker,
    pub(super) closing: AtomicWaker,
    /// The future that resolves when the receiving half has ended. Only the end of the
    /// session wakes it.
    pub(super) received: AtomicWaker,
}

impl Wakers {
    pub(super) fn wake_all(&self) {
        for one in [&self.receiving, &self.sending, &self.sent, &self.closing] {
            one.wake();
        }
    }

    /// Returns a waker that wakes all of them.
    pub(super) fn all(self: &Arc<Self>) -> Waker {
        waker(Arc::clone(self))
    }
}

impl ArcWake for Wakers {
    fn wake_by_ref(wakers: &Arc<Self>) {
        wakers.wake_all();
    }
}

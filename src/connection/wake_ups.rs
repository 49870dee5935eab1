//! Who is woken for what.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// The wakers of a connection, and the one that its receiving is polled with.
#[derive(Default)]
pub(super) struct Wakers {
    /// The task.
    task: Slot,
    /// The read that waits.
    reader: Slot,
    /// Receiving can go on: whoever polls it first takes this.
    receivable: AtomicBool,
    /// Receiving rests: the next read goes on, or the task where none comes.
    resting: AtomicBool,
    /// Among those that rest.
    #[cfg(feature = "component")]
    listed: AtomicBool,
}

/// What is received wakes the read that waits, which goes on receiving by itself,
/// and the task, for when that read is not polled.
impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set_receivable();
        // A call of a component is always polled, and costs the task a turn.
        if !self.wake_reader() || cfg!(not(feature = "component")) {
            self.task.wake();
        }
    }
}

impl Wakers {
    pub(super) fn set_task(&self, cx: &Context<'_>) {
        self.task.set(cx);
    }

    pub(super) fn no_task(&self) {
        self.task.take();
    }

    pub(super) fn set_reader(&self, cx: &Context<'_>) {
        self.reader.set(cx);
    }

    pub(super) fn no_reader(&self) {
        self.reader.take();
    }

    /// Whether there was one.
    pub(super) fn wake_reader(&self) -> bool {
        self.reader.take().map(Waker::wake).is_some()
    }

    /// Has the task send.
    pub(super) fn send(&self) {
        self.task.wake();
    }

    /// Has the task receive, and send.
    pub(super) fn receive(&self) {
        self.set_receivable();
        self.send();
    }

    /// Receiving can go on, and the caller will see to it.
    pub(super) fn set_receivable(&self) {
        self.receivable.store(true, Ordering::Relaxed);
    }

    pub(super) fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    pub(super) fn resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// Whether it was listed before.
    #[cfg(feature = "component")]
    pub(super) fn set_listed(&self, listed: bool) -> bool {
        self.listed.swap(listed, Ordering::Relaxed)
    }

    /// The caller goes on where receiving rests.
    pub(super) fn take_rest(&self) -> bool {
        let resting = self.resting();
        if resting {
            self.resting.store(false, Ordering::Relaxed);
            self.set_receivable();
        }
        resting
    }

    /// Whether receiving can go on; it is the caller's then.
    pub(super) fn take_receivable(&self) -> bool {
        self.receivable.load(Ordering::Relaxed) && self.receivable.swap(false, Ordering::Relaxed)
    }
}

/// A waker, which whatever is woken leaves in its place or takes.
#[derive(Default)]
struct Slot(Mutex<Option<Waker>>);

impl Slot {
    fn set(&self, cx: &Context<'_>) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }

    fn take(&self) -> Option<Waker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

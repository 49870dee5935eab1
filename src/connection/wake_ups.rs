//! The wakers of a connection's two parties, and the waker of its receive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use super::form::Form;

/// The waker of each party. As a waker itself it is the one that the receive is polled
/// with, whichever party polls: the host's wake-up then reaches both.
///
/// A waker has to be `Send` and `Sync`, so nothing in here is a `Cell`, and the
/// [`Receiver`](super::receiver::Receiver) is not in here.
#[derive(Default)]
pub(super) struct WakeUps {
    /// Set in each turn of the connection task. Stays when it is woken.
    task: Slot,
    /// Set when a read begins to wait for bytes. Taken when it is woken.
    read: Slot,
    /// The receive has something to do: the host has woken it, or something has
    /// changed that it waits for. Taken by the party that polls it then. Not part of
    /// the receiver: a wake-up may come in any of its states.
    woken: AtomicBool,
}

/// Wakes the pending read, which receives in its own turn; and the task where the form
/// asks for that, or no read is pending.
impl Wake for WakeUps {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set_woken();
        if !self.wake_read() || Form::current().data_wakes_both() {
            self.wake_task();
        }
    }
}

impl WakeUps {
    pub(super) fn set_task(&self, cx: &Context<'_>) {
        self.task.set(cx);
    }

    pub(super) fn clear_task(&self) {
        self.task.take();
    }

    pub(super) fn set_read(&self, cx: &Context<'_>) {
        self.read.set(cx);
    }

    pub(super) fn clear_read(&self) {
        self.read.take();
    }

    /// Wakes the pending read. Returns whether there was one that was not woken yet.
    pub(super) fn wake_read(&self) -> bool {
        self.read.take().map(Waker::wake).is_some()
    }

    /// Wakes the task, to send or to look what has changed.
    pub(super) fn wake_task(&self) {
        self.task.wake();
    }

    /// Wakes the task to receive as well.
    pub(super) fn wake_to_receive(&self) {
        self.set_woken();
        self.wake_task();
    }

    fn set_woken(&self) {
        self.woken.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    /// Takes the wake-up of the receive, if there was one. The caller polls it then.
    pub(super) fn take_woken(&self) -> bool {
        self.is_woken() && self.woken.swap(false, Ordering::Relaxed)
    }
}

/// A place for one waker.
#[derive(Default)]
struct Slot(Mutex<Option<Waker>>);

impl Slot {
    fn set(&self, cx: &Context<'_>) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Wakes and keeps the waker.
    fn wake(&self) {
        if let Some(waker) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }

    fn take(&self) -> Option<Waker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

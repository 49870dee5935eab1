//! Lists of tasks that wait for the same event.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Waiting tasks, woken in the order of their arrival. A task whose future is dropped leaves
/// the list.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: RefCell<Vec<(u64, Waker)>>,
    next: Cell<u64>,
}

/// A waiting task's entry in [`Waiters`], removed when dropped.
struct Registration<'a> {
    waiters: &'a Waiters,
    id: u64,
}

impl Waiters {
    /// Waits until `ready` returns a value. It is called again after each
    /// [`wake_all`](Self::wake_all).
    pub(crate) async fn wait_until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        let mut registration = None;
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                super::budget::refill();
                registration
                    .get_or_insert_with(|| self.registration())
                    .register(cx);
                Poll::Pending
            }
        })
        .await
    }

    /// Does as [`wait_until`](Self::wait_until), for code that polls. A task is registered
    /// once, however often it polls.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ready: impl FnOnce() -> Option<T>,
    ) -> Poll<T> {
        if let Some(value) = ready() {
            return Poll::Ready(value);
        }
        super::budget::refill();
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|(_, waker)| waker.will_wake(cx.waker())) {
            let id = self.next.get();
            self.next.set(id.wrapping_add(1));
            waiting.push((id, cx.waker().clone()));
        }
        Poll::Pending
    }

    /// Wakes all tasks.
    pub(crate) fn wake_all(&self) {
        // Taken first: waking may run code that registers again.
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    fn registration(&self) -> Registration<'_> {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        Registration { waiters: self, id }
    }
}

impl Registration<'_> {
    fn register(&self, cx: &mut Context<'_>) {
        let mut waiting = self.waiters.waiting.borrow_mut();
        match waiting.iter_mut().find(|(id, _)| *id == self.id) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => waiting.push((self.id, cx.waker().clone())),
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.waiters
            .waiting
            .borrow_mut()
            .retain(|(id, _)| *id != self.id);
    }
}

//! Tasks that wait for the same thing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Any number of waiting tasks, woken in the order in which they came. A task
/// that gives up leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: RefCell<Vec<(u64, Waker)>>,
    next: Cell<u64>,
}

/// A place in [`Waiters`], given back when dropped.
struct Place<'a> {
    waiters: &'a Waiters,
    id: u64,
}

impl Waiters {
    /// Waits until `ready` gives a value. It is asked again after each
    /// [`wake_all`](Self::wake_all).
    pub(crate) async fn wait_until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        let mut place = None;
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                super::budget::refill();
                place.get_or_insert_with(|| self.place()).register(cx);
                Poll::Pending
            }
        })
        .await
    }

    /// As [`wait_until`](Self::wait_until), for code that polls. Each task
    /// counts once.
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

    pub(crate) fn wake_all(&self) {
        // Taken out first: waking may run code that waits again.
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    fn place(&self) -> Place<'_> {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        Place { waiters: self, id }
    }
}

impl Place<'_> {
    fn register(&self, cx: &mut Context<'_>) {
        let mut waiting = self.waiters.waiting.borrow_mut();
        match waiting.iter_mut().find(|(id, _)| *id == self.id) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => waiting.push((self.id, cx.waker().clone())),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiters
            .waiting
            .borrow_mut()
            .retain(|(id, _)| *id != self.id);
    }
}

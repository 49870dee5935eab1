//! The task that everything in the background runs in.
//!
//! Exported functions come and go, and a synchronous one cannot start a task.
//! So one task, the driver, is started by the first asynchronous entry and
//! lives as long as there is something to do; everybody else hands futures to
//! it. A pending read or write of the host is only ever polled and dropped
//! there, never in a synchronous export, where dropping one would trap.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures::stream::FuturesUnordered;

thread_local! {
    /// The tasks of the program, which end with it.
    static TASKS: RefCell<Tasks> = const {
        RefCell::new(Tasks { running: BTreeMap::new(), next: 0 })
    };
    static INBOX: RefCell<Inbox> = const {
        RefCell::new(Inbox {
            arrived: Vec::new(),
            driver: None,
            running: false,
            entered: 0,
            empty: false,
            abandoned: false,
        })
    };
}

struct Tasks {
    running: BTreeMap<u64, AbortHandle>,
    next: u64,
}

struct Inbox {
    arrived: Vec<LocalBoxFuture<'static, ()>>,
    /// Wakes the driver while it sleeps.
    driver: Option<Waker>,
    running: bool,
    /// Asynchronous entries that have not returned.
    entered: usize,
    /// The driver has nothing left, and stays for the entries only.
    empty: bool,
    /// The program is about to trap.
    abandoned: bool,
}

/// Starts the driver if there is none, and keeps it until the guard is dropped.
/// Every asynchronous entry into this library holds one: the program's `run`,
/// and each asynchronous export.
pub(crate) fn enter() -> Entered {
    INBOX.with_borrow_mut(|inbox| inbox.entered += 1);
    if claim() {
        // The handles are dropped: both end by themselves.
        drop(wit_bindgen::spawn_local(Driver::default()));
        drop(wit_bindgen::spawn_local(
            super::event_batching::beside_the_driver(),
        ));
    }
    Entered(())
}

/// Runs the body of an asynchronous export.
///
/// wasmtime 48 never frees its record of a call between components that returns
/// and ends before its caller has taken notice: a million such calls, and the
/// store is full. So a call that did not have to wait ends one turn after it
/// has returned, and the budget gives those turns a chance.
#[cfg(feature = "component")]
pub(crate) async fn export<T>(body: impl Future<Output = T>) -> T {
    let _entered = enter();
    super::budget::proceed().await;
    let mut body = std::pin::pin!(body);
    let mut waited = false;
    let result = std::future::poll_fn(|cx| {
        let result = body.as_mut().poll(cx);
        waited |= result.is_pending();
        result
    })
    .await;
    if !waited {
        drop(wit_bindgen::spawn_local(wit_bindgen::yield_async()));
    }
    result
}

/// An asynchronous entry that has not returned.
#[must_use]
pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let driver = INBOX.with_borrow_mut(|inbox| {
            inbox.entered -= 1;
            match inbox.entered {
                0 if inbox.empty => inbox.driver.take(),
                _ => None,
            }
        });
        // Nothing is left to stay for.
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

fn claim() -> bool {
    INBOX.with_borrow_mut(|inbox| !std::mem::replace(&mut inbox.running, true))
}

/// Gives the background up: the program is about to trap. A driver that has not
/// begun yet would keep the last words waiting for its end.
pub(crate) fn abandon() {
    INBOX.with(|inbox| {
        if let Ok(mut inbox) = inbox.try_borrow_mut() {
            inbox.abandoned = true;
        }
    });
    super::event_batching::abandon();
}

/// Runs `future` in the background, also after the caller has returned.
pub(crate) fn detach(future: impl Future<Output = ()> + 'static) {
    let future: LocalBoxFuture<'static, ()> = Box::pin(future);
    let driver = INBOX.with_borrow_mut(|inbox| {
        inbox.arrived.push(future);
        inbox.driver.take()
    });
    if let Some(driver) = driver {
        driver.wake();
    }
}

/// Runs `future` as a task of the program; its result can be awaited.
pub(crate) fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let (sender, receiver) = oneshot::channel();
    let (abort, registration) = AbortHandle::new_pair();
    let id = TASKS.with_borrow_mut(|tasks| {
        let id = tasks.next;
        tasks.next += 1;
        tasks.running.insert(id, abort.clone());
        id
    });
    detach(async move {
        if let Ok(result) = Abortable::new(future, registration).await {
            // Nobody may be waiting for it.
            drop(sender.send(result));
        }
        TASKS.with_borrow_mut(|tasks| tasks.running.remove(&id));
    });
    JoinHandle { receiver, abort }
}

/// Cancels every task of the program: it has ended.
pub(crate) fn cancel_tasks() {
    let running = TASKS.with_borrow_mut(|tasks| std::mem::take(&mut tasks.running));
    running.values().for_each(AbortHandle::abort);
}

/// A task started by [`spawn`](crate::spawn). Awaiting it gives its result, or
/// [`Cancelled`]. Dropping it lets the task go on.
#[derive(Debug)]
pub struct JoinHandle<T> {
    receiver: oneshot::Receiver<T>,
    abort: AbortHandle,
}

/// The task was cancelled before it had a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task was cancelled")]
pub struct Cancelled;

impl<T> JoinHandle<T> {
    /// Cancels the task at its next turn. One that has finished is not
    /// affected.
    pub fn cancel(&self) {
        self.abort.abort();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(cx)
            .map(|result| result.map_err(|_| Cancelled))
    }
}

#[derive(Default)]
struct Driver {
    tasks: FuturesUnordered<LocalBoxFuture<'static, ()>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let (arrived, abandoned) = INBOX
                .with_borrow_mut(|inbox| (std::mem::take(&mut inbox.arrived), inbox.abandoned));
            self.tasks.extend(arrived);
            if abandoned {
                // Not dropped: what panicked may be in the middle of them.
                std::mem::forget(std::mem::take(&mut self.tasks));
                return Poll::Ready(());
            }
            match self.tasks.poll_next_unpin(cx) {
                Poll::Ready(Some(())) => {}
                idle => {
                    let next = INBOX.with_borrow_mut(|inbox| {
                        if !inbox.arrived.is_empty() {
                            return None;
                        }
                        if idle.is_ready() && inbox.entered == 0 {
                            inbox.running = false;
                            super::event_batching::end();
                            return Some(Poll::Ready(()));
                        }
                        inbox.empty = idle.is_ready();
                        inbox.driver = Some(cx.waker().clone());
                        Some(Poll::Pending)
                    });
                    if let Some(next) = next {
                        if next.is_pending() {
                            super::event_batching::end_turn();
                        }
                        return next;
                    }
                }
            }
        }
    }
}

/// Runs `future` and the background on the native machine: for unit tests with
/// in-memory transports.
#[cfg(test)]
pub(crate) fn run_native<T>(future: impl Future<Output = T>) -> T {
    assert!(claim(), "one driver a thread");
    let mut driver = Box::pin(Driver::default());
    let mut future = Box::pin(future);
    let result = pollster::block_on(std::future::poll_fn(|cx| {
        let running = INBOX.with_borrow(|inbox| inbox.running);
        if (running || claim()) && driver.as_mut().poll(cx).is_ready() {
            driver = Box::pin(Driver::default());
        }
        let result = future.as_mut().poll(cx);
        if result.is_pending() && INBOX.with_borrow(|inbox| !inbox.arrived.is_empty()) {
            cx.waker().wake_by_ref();
        }
        result
    }));
    drop(driver);
    INBOX.with_borrow_mut(|inbox| {
        inbox.running = false;
        inbox.arrived.clear();
        inbox.driver = None;
    });
    result
}

//! The driver: the one task of the component that runs everything in the background.
//!
//! Exported functions come and go, and a synchronous one cannot start a task. So the first
//! asynchronous entry starts the driver, which lives as long as it has something to run or an
//! asynchronous entry has not returned. Everything else hands futures to it.
//!
//! Two kinds of tasks poll pending operations of the host: the driver, and an asynchronous
//! export whose read waits and receives by itself (`connection/receiving.rs`). Neither a poll
//! nor a drop of one happens in a synchronous export. Dropping a pending operation cancels
//! it, and a cancellation that has to wait for the host traps there ("cannot block a
//! synchronous task before returning", wasmtime 48).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures::stream::FuturesUnordered;

thread_local! {
    /// The tasks of the program: its end cancels them.
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
    /// By number, in the order of their start.
    running: BTreeMap<u64, AbortHandle>,
    next: u64,
}

struct Inbox {
    /// Futures for the driver to run, which it has not taken yet.
    arrived: Vec<LocalBoxFuture<'static, ()>>,
    /// The driver's waker while it sleeps; taken by the first event.
    driver: Option<Waker>,
    /// A driver exists.
    running: bool,
    /// The number of asynchronous entries that have not returned.
    entered: usize,
    /// The driver has no future left and stays only for the entries.
    empty: bool,
    /// The program has panicked and is about to trap.
    abandoned: bool,
}

/// Starts the driver if there is none, and keeps it until the guard is dropped. Each
/// asynchronous entry into this library holds a guard: the program's `run`, and each
/// asynchronous export.
pub(crate) fn enter() -> Entered {
    INBOX.with_borrow_mut(|inbox| inbox.entered += 1);
    if claim() {
        // Dropping the handles does not cancel: both futures end by themselves.
        drop(wit_bindgen::spawn_local(Driver::default()));
        drop(wit_bindgen::spawn_local(super::event_batching::companion()));
    }
    Entered(())
}

/// Lets other tasks have their turn.
pub(crate) async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|cx| match std::mem::replace(&mut paused, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Runs the body of an asynchronous export.
///
/// wasmtime 48 never frees its record of a call between components that returns and ends
/// before its caller has noticed; a million of those fill the store's table
/// (`docs/decisions.md`). So a call that did not have to wait ends one turn after it has
/// returned, and the budget makes callers yield often enough for those turns.
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

/// An asynchronous entry that has not returned: keeps the driver alive.
#[must_use = "dropping it lets the driver end"]
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
        // The driver stayed for this entry only.
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// Returns true if there was no driver; there is one from now on.
fn claim() -> bool {
    INBOX.with_borrow_mut(|inbox| !std::mem::replace(&mut inbox.running, true))
}

/// Gives up everything in the background: the program is about to trap. Otherwise
/// `wit_bindgen::block_on`, which writes the panic's message, would wait for a driver that
/// has not begun yet.
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

/// Runs `future` in the background, as a task of the program: asyncio's `create_task`.
///
/// Awaiting the handle gives its result; dropping the handle lets the task go on. The end of
/// the program cancels it.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
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
            // Fails if the handle was dropped.
            drop(sender.send(result));
        }
        TASKS.with_borrow_mut(|tasks| tasks.running.remove(&id));
    });
    JoinHandle {
        receiver,
        abort,
        not_send: PhantomData,
    }
}

/// Cancels every task of the program, when the program has ended.
pub(crate) fn cancel_tasks() {
    let running = TASKS.with_borrow_mut(|tasks| std::mem::take(&mut tasks.running));
    running.values().for_each(AbortHandle::abort);
}

/// A task started by [`spawn`]. Awaiting it gives its result, or [`Cancelled`]. Dropping it
/// lets the task go on.
///
/// It is `!Send`; [`StreamReader`](crate::StreamReader) says why that is fine.
#[derive(Debug)]
pub struct JoinHandle<T> {
    receiver: oneshot::Receiver<T>,
    abort: AbortHandle,
    /// Leaves room for a handle that shares state with its task without atomics.
    not_send: PhantomData<Rc<()>>,
}

/// The task was cancelled before it had a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task was cancelled")]
pub struct Cancelled;

impl<T> JoinHandle<T> {
    /// Cancels the task at its next turn. A task that has finished is not affected.
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

/// The driver's future: runs every future of the inbox.
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
                // Not dropped: the code that panicked may be borrowing from one of them.
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

/// Runs `future` and the background natively, for unit tests with transports in memory.
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

//! The cooperative budget: a task whose operations never have to wait yields once in a while,
//! so that one busy connection does not starve the others. tokio has the same
//! (`tokio::task::coop`).

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// The cost of operations in a row after which a task yields.
const WHOLE: u32 = 512;
/// The cost of an operation.
const OPERATION: u32 = 8;
/// The cost of a read that the buffer serves at once. It is small, since yielding costs more
/// than such a read.
const SHORT_READ: u32 = 1;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(WHOLE) };
}

/// Spends the cost of a read that the buffer serves at once; false if the budget is spent.
pub(crate) fn short_read() -> bool {
    spend(SHORT_READ)
}

/// Spends `cost`; false, and nothing is spent, if less is left.
fn spend(cost: u32) -> bool {
    LEFT.with(|left| match left.get().checked_sub(cost) {
        Some(rest) => {
            left.set(rest);
            true
        }
        None => false,
    })
}

/// Spends the cost of an operation. If the budget is spent, wakes the task and is pending
/// once.
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    if spend(OPERATION) {
        return Poll::Ready(());
    }
    refill();
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Spends the cost of an operation; false if the budget is spent.
#[cfg(feature = "component")]
pub(crate) fn operation() -> bool {
    spend(OPERATION)
}

/// Restores the whole budget. Called when a task waits, since others have their turn then.
pub(crate) fn refill() {
    LEFT.with(|left| left.set(WHOLE));
}

/// Spends the cost of an operation, and yields if the budget is spent.
pub(crate) async fn proceed() {
    poll_fn(poll_proceed).await;
}

//! A cooperative budget: operations that never have to wait give way to others
//! once in a while, so that one busy connection does not starve the rest.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// What ready operations in a row may cost before one gives way.
const WHOLE: u32 = 512;
/// What an operation costs.
const OPERATION: u32 = 8;
/// What a read costs that the buffer serves at once: less than giving way does.
const SHORT_READ: u32 = 1;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(WHOLE) };
}

/// Whether the budget allows a read that the buffer serves at once.
pub(crate) fn short_read() -> bool {
    spend(SHORT_READ)
}

fn spend(cost: u32) -> bool {
    LEFT.with(|left| match left.get().checked_sub(cost) {
        Some(rest) => {
            left.set(rest);
            true
        }
        None => false,
    })
}

/// Ready, unless the budget is spent: then pending once, with a wake-up.
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    if spend(OPERATION) {
        return Poll::Ready(());
    }
    refill();
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Counts an operation; false if the budget is spent.
#[cfg(feature = "component")]
pub(crate) fn operation() -> bool {
    spend(OPERATION)
}

/// The budget is whole again: somebody waited, so others had their turn.
pub(crate) fn refill() {
    LEFT.with(|left| left.set(WHOLE));
}

/// Gives way if the budget is spent.
pub(crate) async fn proceed() {
    poll_fn(poll_proceed).await;
}

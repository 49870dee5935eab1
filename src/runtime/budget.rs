//! A cooperative budget: operations that never have to wait give way to others
//! once in a while, so that one busy connection does not starve the rest.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Ready operations in a row before one gives way.
const TURNS: u32 = 64;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(TURNS) };
}

/// Ready, unless the budget is spent: then pending once, with a wake-up.
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    if spend() {
        return Poll::Ready(());
    }
    refill();
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Counts an operation; false if the budget is spent.
pub(crate) fn spend() -> bool {
    LEFT.with(|left| match left.get().checked_sub(1) {
        Some(rest) => {
            left.set(rest);
            true
        }
        None => false,
    })
}

/// The budget is whole again: somebody waited, so others had their turn.
pub(crate) fn refill() {
    LEFT.with(|left| left.set(TURNS));
}

/// Gives way if the budget is spent.
pub(crate) async fn proceed() {
    poll_fn(poll_proceed).await;
}

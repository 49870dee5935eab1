//! Receiving that rests between two reads.

use std::sync::Arc;

use super::wake_ups::Wakers;

/// A read that received is over: where no other one comes, the task goes on.
///
/// Linked, the task has its turn after the program's, which so often has begun
/// the next read by then.
#[cfg(not(feature = "component"))]
pub(super) fn relieve(wakers: &Arc<Wakers>) {
    if wakers.resting() {
        wakers.send();
    }
}

#[cfg(feature = "component")]
pub(super) use later::relieve;

/// In a component the next read is a call that begins after the task's turn, and
/// a turn for nothing costs more than a wait.
#[cfg(feature = "component")]
mod later {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::{Arc, Wakers};
    use crate::runtime::executor;
    use crate::sleep;

    /// How long receiving may rest between two reads.
    const REST: Duration = Duration::from_millis(2);

    thread_local! {
        static RESTING: RefCell<Vec<Arc<Wakers>>> = const { RefCell::new(Vec::new()) };
    }

    pub(in crate::connection) fn relieve(wakers: &Arc<Wakers>) {
        if !wakers.resting() || wakers.set_listed(true) {
            return;
        }
        let first = RESTING.with_borrow_mut(|resting| {
            resting.push(wakers.clone());
            resting.len() == 1
        });
        if first {
            executor::detach(async {
                sleep(REST).await;
                for wakers in RESTING.take() {
                    wakers.set_listed(false);
                    if wakers.take_rest() {
                        wakers.receive();
                    }
                }
            });
        }
    }
}

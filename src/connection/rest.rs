//! The rest between two reads, and its end.
//!
//! A read that has received what it wants leaves nothing pending at the host: the next
//! read starts the next receive in its own turn, which spares the task a turn for each
//! message. If no read comes, the task has to go on, to fill the buffer and to notice
//! the end.

use std::cell::RefCell;
use std::rc::Weak;
use std::time::Duration;

use super::Connection;
use super::form::Form;
use crate::runtime::executor;

/// How long receiving may rest in a component.
const REST: Duration = Duration::from_millis(2);

thread_local! {
    /// Connections whose rest ends with the timer that is running. One timer serves
    /// them all; it runs while the list is not empty.
    static RESTING: RefCell<Vec<Weak<Connection>>> = const { RefCell::new(Vec::new()) };
}

/// Has the task go on if no read comes: at its next turn, or in a component after
/// [`REST`].
pub(super) fn end_later(connection: &Connection) {
    if Form::current().task_ends_rest() {
        return connection.wake_ups.wake_task();
    }
    if connection.receiving.rest_timed.replace(true) {
        return;
    }
    let first = RESTING.with_borrow_mut(|resting| {
        resting.push(connection.this.clone());
        resting.len() == 1
    });
    if first {
        executor::detach(async {
            rest().await;
            end_all();
        });
    }
}

pub(super) fn end_all() {
    for connection in RESTING.take() {
        let Some(connection) = connection.upgrade() else {
            continue;
        };
        connection.receiving.rest_timed.set(false);
        let rested = connection.read.borrow_mut().receiver.rest_over();
        if rested {
            connection.wake_ups.wake_to_receive();
        }
    }
}

#[cfg(not(test))]
async fn rest() {
    crate::sleep(REST).await;
}

/// There is no clock in unit tests: a rest is a turn.
#[cfg(test)]
async fn rest() {
    debug_assert!(!REST.is_zero());
    let mut rested = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut rested, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

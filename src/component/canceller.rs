//! The resource `canceller` of `asyncio:streams/streams`.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::wit::streams::GuestCanceller;

/// Ends the call whose options have it. A clone is the same canceller.
#[derive(Default, Clone)]
pub(super) struct Canceller(Rc<State>);

#[derive(Default)]
struct State {
    cancelled: Cell<bool>,
    call: RefCell<Option<Waker>>,
}

impl Canceller {
    /// Does the work until it ends or is cancelled, which is `Err(cancelled())`. The call
    /// drops the work then, in its turn.
    pub(super) async fn watch<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        cancelled: impl Fn() -> E,
    ) -> Result<T, E> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.0.cancelled.get() {
                return Poll::Ready(Err(cancelled()));
            }
            *self.0.call.borrow_mut() = Some(cx.waker().clone());
            work.as_mut().poll(cx)
        })
        .await
    }
}

impl GuestCanceller for Canceller {
    fn new() -> Canceller {
        Canceller::default()
    }

    fn cancel(&self) {
        self.0.cancelled.set(true);
        if let Some(call) = self.0.call.take() {
            call.wake();
        }
    }
}

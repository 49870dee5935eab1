//! Batches host events: asks the host for further events before the component sleeps.
//!
//! Entering the component is most of an event's cost. If a future was woken during a poll,
//! wit-bindgen 0.63 (`rt/async_support.rs`, `FutureState::callback`) asks for another event
//! without leaving the component, and yields to the host if there is none. So when the
//! driver's turn ends and it has received something, this module wakes a companion: a future
//! beside the driver that does nothing.
//!
//! The companion has to exist for another reason, too. `FuturesUnordered`, which holds the
//! driver, asks for another turn once it has polled as many futures as it holds. With the
//! driver alone it would do so after every event.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// The number of eventful turns that do not ask for another event, after a turn that asked
/// and got none.
const PAUSE: u32 = 16;

thread_local! {
    static BATCHING: Batching = const { Batching {
        companion: RefCell::new(None),
        ended: Cell::new(false),
        events: Cell::new(0),
        seen: Cell::new(0),
        asked: Cell::new(false),
        pause: Cell::new(0),
    } };
}

struct Batching {
    /// The companion's waker.
    companion: RefCell<Option<Waker>>,
    /// The companion is to end, with the driver.
    ended: Cell<bool>,
    /// The number of receives that connections have completed.
    events: Cell<u64>,
    /// The value of `events` when the last turn ended.
    seen: Cell<u64>,
    /// The last turn has asked for another event.
    asked: Cell<bool>,
    /// The number of eventful turns left until a turn asks again.
    pause: Cell<u32>,
}

impl Batching {
    /// Decides at the end of the driver's turn whether to ask for another event. A turn asks if
    /// it was eventful; after one that asked in vain, [`PAUSE`] turns do not.
    fn ask(&self) -> bool {
        let events = self.events.get();
        let eventful = self.seen.replace(events) != events;
        if !eventful {
            if self.asked.take() {
                self.pause.set(PAUSE);
            }
            return false;
        }
        let pause = self.pause.get();
        self.pause.set(pause.saturating_sub(1));
        self.asked.set(pause == 0);
        pause == 0
    }

    fn wake(&self) {
        if let Some(waker) = &*self.companion.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// Counts a receive in the driver's turn.
pub(crate) fn event() {
    BATCHING.with(|batching| batching.events.set(batching.events.get().wrapping_add(1)));
}

/// Ends the driver's turn: wakes the companion if another event is to be asked for.
pub(crate) fn end_turn() {
    BATCHING.with(|batching| {
        if batching.ask() {
            batching.wake();
        }
    });
}

/// Ends the companion, with the driver.
pub(crate) fn end() {
    BATCHING.with(|batching| {
        batching.ended.set(true);
        batching.wake();
    });
}

/// Ends a companion that has not begun yet, since the program is about to trap: writing the
/// panic's message would wait for it.
pub(crate) fn abandon() {
    BATCHING.with(|batching| batching.ended.set(true));
}

/// Returns the companion, which lasts until [`end`].
pub(crate) fn companion() -> impl Future<Output = ()> {
    BATCHING.with(|batching| batching.ended.set(false));
    poll_fn(|cx| {
        BATCHING.with(|batching| {
            if batching.ended.get() {
                batching.companion.take();
                return Poll::Ready(());
            }
            match &mut *batching.companion.borrow_mut() {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    })
}

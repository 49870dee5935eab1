//! How often the component is entered, which is what an event costs most.
//!
//! Beside the driver stands a future that does nothing. While something has been
//! woken, wit-bindgen asks for another event before the component sleeps, and
//! lets others have a turn if there was none; under load this one is woken on
//! purpose. It has to exist anyway: a set of futures that has polled all it holds
//! asks for another turn, and one that holds the driver alone would do so after
//! every event.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// Turns in which nobody asks for another event, after one had asked in vain.
const PAUSE: u32 = 16;

thread_local! {
    static TURNS: Turns = const { Turns {
        beside: RefCell::new(None),
        ended: Cell::new(false),
        events: Cell::new(0),
        seen: Cell::new(0),
        asked: Cell::new(false),
        pause: Cell::new(0),
    } };
}

struct Turns {
    beside: RefCell<Option<Waker>>,
    ended: Cell<bool>,
    /// Events of connections so far.
    events: Cell<u64>,
    /// As many as there were when the last turn ended.
    seen: Cell<u64>,
    /// The last turn asked.
    asked: Cell<bool>,
    /// Turns until one asks again.
    pause: Cell<u32>,
}

impl Turns {
    /// Whether the driver, whose turn ends, should ask for another event.
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
        if let Some(waker) = &*self.beside.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// Something has been received in the driver's turn.
pub(crate) fn event() {
    TURNS.with(|turns| turns.events.set(turns.events.get().wrapping_add(1)));
}

/// The driver's turn ends.
pub(crate) fn end_turn() {
    TURNS.with(|turns| {
        if turns.ask() {
            turns.wake();
        }
    });
}

/// The driver ends.
pub(crate) fn end() {
    TURNS.with(|turns| {
        turns.ended.set(true);
        turns.wake();
    });
}

/// The program is about to trap: where nothing has begun yet, nothing is to keep
/// its last words waiting.
pub(crate) fn abandon() {
    TURNS.with(|turns| turns.ended.set(true));
}

/// Stands beside the driver until its [`end`].
pub(crate) fn beside_the_driver() -> impl Future<Output = ()> {
    TURNS.with(|turns| turns.ended.set(false));
    poll_fn(|cx| {
        TURNS.with(|turns| {
            if turns.ended.get() {
                turns.beside.take();
                return Poll::Ready(());
            }
            match &mut *turns.beside.borrow_mut() {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    })
}

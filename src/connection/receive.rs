//! The receive loop: transport -> buffer.
//!
//! The loop is one future, which two parties poll: the connection task, and the read that
//! waits. Polled in its own turn, a read has its bytes without a turn of the task in
//! between. [`Receiver`](super::receiver::Receiver) holds the rules; the loop reports
//! events to it and waits where it says so.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::LocalBoxFuture;

use super::form::Form;
use super::receive_buffer::{ReceiveBuffer, large_buffer, pool};
use super::receiver::{Handover, Party, Receiver, Turn};
use super::rest;
use super::wake_ups::WakeUps;
use super::{Connection, State};
use crate::error::ErrorCode;
use crate::runtime::{budget, event_batching};
use crate::transport::{Received, Source};

/// The receive loop of a connection, for whichever party has a turn.
pub(super) struct Receiving {
    /// The loop with the transport's source. Set when the connection task has a
    /// transport; emptied when nothing more is to be received, or TLS takes the
    /// transport.
    ///
    /// It may be polled and dropped in a turn of the task, in a turn of a read, and in
    /// the destructor of a read, all of which run in an asynchronous call. Not in
    /// `close`, `abort` or the destructor of a handle: in a synchronous export, dropping
    /// a pending operation of wit-bindgen 0.63 traps. These wake the task instead.
    future: RefCell<Option<LocalBoxFuture<'static, ()>>>,
    /// The waker that the loop is polled with, whichever party polls.
    waker: Waker,
    /// The connection is among those whose rest the timer ends. Stays set when the rest
    /// ends earlier, so that it is no part of the receiver's state.
    pub(super) rest_timed: Cell<bool>,
}

impl Receiving {
    pub(super) fn new(wake_ups: &Arc<WakeUps>) -> Receiving {
        Receiving {
            future: RefCell::default(),
            waker: wake_ups.clone().into(),
            rest_timed: Cell::new(false),
        }
    }
}

/// Turns of the parties.
impl Connection {
    pub(super) fn start_receiving(self: Rc<Self>, source: impl Source + 'static) {
        let this = self.clone();
        let future = async move {
            let mut receiving = pin!(this.receive_all(source));
            poll_fn(|cx| {
                let over = this.is_over() || receiving.as_mut().poll(cx).is_ready();
                // A last look may just have been taken, and then it is over too.
                match over || this.is_over() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        };
        *self.receiving.future.borrow_mut() = Some(Box::pin(future));
        self.read.borrow_mut().receiver.transport_given();
        self.wake_ups.wake_to_receive();
    }

    /// Takes the transport's source from the receive loop, for the caller to drop.
    pub(super) fn take_source(&self) -> impl Sized + use<> {
        self.read.borrow_mut().receiver.transport_taken();
        self.receiving.future.take()
    }

    /// Returns true if nothing more is to be received, even if the loop holds bytes.
    fn is_over(&self) -> bool {
        match self.state.get() {
            State::Open => false,
            State::Closing => !self.read.borrow().has_last_look(),
            State::Aborting | State::Closed => true,
        }
    }

    /// Goes on receiving in a turn of `party`, if there is something to do. Ready when
    /// nothing more will be received.
    pub(super) fn receive(&self, party: Party) -> Poll<()> {
        let form = Form::current();
        let woken = || self.wake_ups.take_woken();
        let turn = self.read.borrow_mut().receiver.turn(party, form, woken);
        match turn {
            Turn::Receive => {
                if form.counts_as_event(party) {
                    event_batching::event();
                }
                let polled = self.poll_loop();
                if polled.is_ready() && party != Party::Task {
                    self.wake_ups.wake_task();
                }
                polled
            }
            Turn::Wait => Poll::Pending,
            Turn::WakeTask => {
                self.wake_ups.wake_task();
                Poll::Pending
            }
            Turn::Nothing => Poll::Ready(()),
        }
    }

    /// Hands receiving over, after the read with this number has been dropped: to the read
    /// that took its place, or to the task.
    pub(super) fn read_dropped(&self, number: u64) {
        let form = Form::current();
        let gives_up = self.read.borrow_mut().receiver.read_dropped(number, form);
        if gives_up {
            self.give_up_receive();
        }
        let next = {
            let read = self.read.borrow();
            if read.is_waited_for() {
                drop(read);
                self.wake_ups.wake_read();
                return;
            }
            let woken = || self.wake_ups.is_woken();
            read.receiver.no_read_waits(form, woken)
        };
        match next {
            Handover::EndRest => rest::end_later(self),
            Handover::WakeTask => self.wake_ups.wake_task(),
            Handover::Wait => {}
        }
    }

    /// Polls the loop once more, in which it gives up the pending receive.
    fn give_up_receive(&self) {
        self.wake_ups.take_woken();
        event_batching::event();
        if self.poll_loop().is_ready() {
            self.wake_ups.wake_task();
        }
        self.read.borrow_mut().receiver.given_up();
    }

    fn poll_loop(&self) -> Poll<()> {
        let polled = match &mut *self.receiving.future.borrow_mut() {
            Some(receiving) => {
                let mut cx = Context::from_waker(&self.receiving.waker);
                receiving.as_mut().poll(&mut cx)
            }
            None => Poll::Ready(()),
        };
        if polled.is_ready() {
            self.read.borrow_mut().receiver.over();
            // Taken out first: no borrow is held while the source is dropped.
            let source = self.receiving.future.take();
            drop(source);
        }
        polled
    }
}

/// The loop. Everything here runs in a turn of either party.
impl Connection {
    async fn receive_all(&self, mut source: impl Source) {
        let mut kept = ReceiveBuffer::default();
        // The last receive has filled its buffer.
        let mut full = false;
        // The large receive that follows a full small one belongs to it, and needs no room
        // of its own.
        let mut goes_on = false;
        while std::mem::take(&mut goes_on) || self.room().await {
            let received = if full {
                // More has probably come: take it in one go, but never wait
                // with a large buffer in hand.
                self.resumed().await;
                let (received, large) = source.receive(large_buffer(), || true).await;
                full = large.len() == large.capacity();
                self.feed(&large);
                pool(large);
                received
            } else {
                let last_look = self.read.borrow_mut().receive_begins();
                let give_up = || last_look || self.gives_up() || self.upgrading();
                let (received, buffer) = source.receive(kept.take(), give_up).await;
                full = buffer.len() == buffer.capacity();
                goes_on = full;
                if !last_look {
                    self.resumed().await;
                }
                self.feed(&buffer);
                kept.put_back(buffer);
                received
            };
            full &= received != Received::Nothing;
            match self.gives_up() || (!full && self.read_is_satisfied()) {
                true => self.rest().await,
                false => budget::proceed().await,
            }
            if received == Received::Over {
                let outcome = self.outcome(source).await;
                return self.ended(outcome);
            }
        }
    }

    fn gives_up(&self) -> bool {
        self.read.borrow().receiver == Receiver::GivingUp
    }

    /// Returns true if this is the turn of a read that has what it wants.
    fn read_is_satisfied(&self) -> bool {
        let read = self.read.borrow();
        read.receiver.in_read() && read.has_wanted()
    }

    /// Rests until the next read or the task goes on.
    async fn rest(&self) {
        self.read.borrow_mut().receiver.rests();
        poll_fn(|_| match self.read.borrow().receiver {
            Receiver::Resting => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Waits until there is room to receive into. Returns false if there is none and the
    /// connection has failed: no read will make any then. While TLS is to begin, there
    /// is none.
    async fn room(&self) -> bool {
        poll_fn(|_| {
            if self.upgrading() && self.state.get() == State::Open {
                let wake = self.read.borrow_mut().receiver.parked();
                if wake {
                    self.wake_ups.wake_task();
                }
                return Poll::Pending;
            }
            let mut read = self.read.borrow_mut();
            if read.flow.is_open() || read.has_last_look() {
                return Poll::Ready(true);
            }
            if self.failed() {
                return Poll::Ready(false);
            }
            read.receiver.no_room();
            Poll::Pending
        })
        .await
    }

    /// Waits while `pause_reading` holds back what has arrived.
    async fn resumed(&self) {
        poll_fn(|_| {
            let open = self.state.get() == State::Open && !self.failed() && !self.upgrading();
            let mut read = self.read.borrow_mut();
            if read.flow.is_paused() && open {
                read.receiver.no_room();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn feed(&self, bytes: &[u8]) {
        self.count_transfer(bytes.len());
        let wake = self.read.borrow_mut().fed(bytes);
        if wake {
            self.wake_ups.wake_read();
        }
    }

    /// Waits for the outcome of the data. Only the task does, because the pending future
    /// would otherwise belong to the call of a read, which ends before it.
    async fn outcome(&self, mut source: impl Source) -> Result<(), ErrorCode> {
        let in_a_read = self.read.borrow_mut().receiver.data_ended();
        if in_a_read {
            self.wake_ups.wake_to_receive();
            next_turn().await;
        }
        source.outcome().await
    }

    fn ended(&self, outcome: Result<(), ErrorCode>) {
        // The kernel reports a reset once. If sending has met it, receiving sees an end
        // that the peer never sent.
        let reset = self.failure.borrow().clone();
        let reset = reset.filter(|code| *code == ErrorCode::ConnectionReset);
        match outcome.and(reset.map_or(Ok(()), Err)) {
            Ok(()) => {
                self.read.borrow_mut().ended();
                self.wake_ups.wake_read();
            }
            Err(code) => self.fail(code),
        }
    }
}

/// Ends the turn of the party that polls.
async fn next_turn() {
    let mut again = false;
    poll_fn(|_| match std::mem::replace(&mut again, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

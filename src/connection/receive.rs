//! How a connection receives: a future that one of two polls, the task or a read
//! that waits, which so has its bytes without a turn of the task in between.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::LocalBoxFuture;

use super::receive_buffer::{Ready, large_buffer, pool};
use super::rest;
use super::wake_ups::Wakers;
use super::{Connection, State};
use crate::error::ErrorCode;
use crate::runtime::{budget, event_batching};
use crate::transport::{Received, Source};

/// The receiving of a connection.
pub(super) struct Receiving {
    /// Until it is over.
    future: RefCell<Option<LocalBoxFuture<'static, ()>>>,
    /// It is polled with this one, whoever polls.
    waker: Waker,
    /// Only its end is missing, which the task waits for.
    ending: Cell<bool>,
    /// The read that polled it last; the task if none.
    #[cfg(feature = "component")]
    polled_by: Cell<Option<u64>>,
    /// It is to give up the receive that it waits in.
    #[cfg(feature = "component")]
    withdrawn: Cell<bool>,
}

impl Receiving {
    pub(super) fn new(wakers: &Arc<Wakers>) -> Receiving {
        Receiving {
            future: RefCell::default(),
            waker: wakers.clone().into(),
            ending: Cell::new(false),
            #[cfg(feature = "component")]
            polled_by: Cell::new(None),
            #[cfg(feature = "component")]
            withdrawn: Cell::new(false),
        }
    }

    /// What is left of it, to be dropped.
    pub(super) fn give_up(&self) -> impl Sized + use<> {
        self.future.take()
    }

    fn withdrawn(&self) -> bool {
        #[cfg(feature = "component")]
        return self.withdrawn.get();
        #[cfg(not(feature = "component"))]
        false
    }
}

impl Connection {
    pub(super) fn start_receiving(self: Rc<Self>, source: impl Source + 'static) {
        let this = self.clone();
        let future = async move {
            let mut receiving = pin!(this.receive(source));
            poll_fn(|cx| {
                let over = this.is_over() || receiving.as_mut().poll(cx).is_ready();
                // A last look may be what is over.
                match over || this.is_over() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        };
        *self.receiving.future.borrow_mut() = Some(Box::pin(future));
        self.wakers.receive();
    }

    /// Whether nothing more is to be received.
    fn is_over(&self) -> bool {
        match self.state.get() {
            State::Open => false,
            State::Closing => !self.read.borrow().last_look,
            State::Aborting | State::Closed => true,
        }
    }

    /// Goes on receiving if that is possible; ready when it is over.
    pub(super) fn poll_receiving(&self) -> Poll<()> {
        let mut future = self.receiving.future.borrow_mut();
        let Some(receiving) = future.as_mut() else {
            return Poll::Ready(());
        };
        if !self.wakers.take_receivable() {
            return Poll::Pending;
        }
        self.polled();
        let mut cx = Context::from_waker(&self.receiving.waker);
        let polled = receiving.as_mut().poll(&mut cx);
        if polled.is_ready() {
            *future = None;
        }
        polled
    }

    #[cfg(not(feature = "component"))]
    fn polled(&self) {
        event_batching::event();
    }

    /// In a component a read is a call with turns and notices of its own.
    #[cfg(feature = "component")]
    fn polled(&self) {
        let by = {
            let read = self.read.borrow();
            read.receives.then_some(read.waiting).flatten()
        };
        self.receiving.polled_by.set(by.map(|wait| wait.number));
        if by.is_none() {
            event_batching::event();
        }
    }

    /// Goes on receiving in a read that waits; whether that has what it wants.
    pub(super) fn receive_here(&self) -> bool {
        if self.receiving.ending.get() {
            // It may be this read alone that was woken.
            self.wakers.send();
            return false;
        }
        self.wakers.take_rest();
        {
            let mut read = self.read.borrow_mut();
            read.receives = true;
            read.satisfied = false;
        }
        // Its end shows in what the read finds.
        let _ = self.poll_receiving();
        let mut read = self.read.borrow_mut();
        read.receives = false;
        std::mem::take(&mut read.satisfied)
    }

    /// The read of this number waits no more: receiving is the task's again.
    pub(super) fn leave_receiving(&self, _read: u64) {
        #[cfg(feature = "component")]
        if self.receiving.polled_by.get() == Some(_read) {
            self.withdraw();
        }
        if self.read.borrow().waiting.is_some() {
            // Another one has taken its place.
            self.wakers.wake_reader();
            return;
        }
        rest::relieve(&self.wakers);
    }

    /// Gives up a receive that waits: the call that began it ends, and would stay
    /// until it is over.
    #[cfg(feature = "component")]
    fn withdraw(&self) {
        self.receiving.polled_by.set(None);
        if self.wakers.resting() || self.receiving.ending.get() {
            return;
        }
        self.receiving.withdrawn.set(true);
        self.wakers.set_receivable();
        // It comes to rest.
        let _ = self.poll_receiving();
        self.receiving.withdrawn.set(false);
    }

    async fn receive(&self, mut source: impl Source) {
        let mut ready = Ready::default();
        let mut full = false;
        // The rest of what came with it belongs to a small receive.
        let mut rest = false;
        while std::mem::take(&mut rest) || self.room().await {
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
                let last_look = std::mem::take(&mut self.read.borrow_mut().last_look);
                let give_up = || last_look || self.receiving.withdrawn() || self.upgrading();
                let (received, buffer) = source.receive(ready.take(), give_up).await;
                full = buffer.len() == buffer.capacity();
                rest = full;
                if !last_look {
                    self.resumed().await;
                }
                self.feed(&buffer);
                ready.put_back(buffer);
                received
            };
            full &= received != Received::Nothing;
            let satisfied = self.read.borrow().satisfied && !full;
            match satisfied || self.receiving.withdrawn() {
                true => self.rest().await,
                false => budget::proceed().await,
            }
            if received == Received::Over {
                let outcome = self.outcome(source).await;
                return self.ended(outcome);
            }
        }
    }

    /// How the data ended: for the task alone to wait for, which stays.
    async fn outcome(&self, mut source: impl Source) -> Result<(), ErrorCode> {
        self.receiving.ending.set(true);
        if self.read.borrow().receives {
            self.wakers.receive();
            pending_once().await;
        }
        source.outcome().await
    }

    fn ended(&self, outcome: Result<(), ErrorCode>) {
        // The system reports a reset once: where sending was told, receiving sees
        // an end that the peer never sent.
        let reset = self.failure.borrow().clone();
        let reset = reset.filter(|code| *code == ErrorCode::ConnectionReset);
        match outcome.and(reset.map_or(Ok(()), Err)) {
            Ok(()) => {
                self.read.borrow_mut().buffer.set_ended(true);
                self.wakers.wake_reader();
            }
            Err(code) => self.fail(code),
        }
    }

    /// The read that receives has what it wants, and whoever comes next goes on.
    async fn rest(&self) {
        self.wakers.rest();
        pending_once().await;
    }

    /// Waits until there is room to receive into; false if none is to be waited
    /// for, because the connection has failed. Where TLS is to begin, there is
    /// none any more.
    async fn room(&self) -> bool {
        poll_fn(|_| {
            if self.upgrading() && self.state.get() == State::Open {
                if !self.parked.replace(true) {
                    self.wakers.send();
                }
                return Poll::Pending;
            }
            let mut read = self.read.borrow_mut();
            if read.open() || read.last_look {
                return Poll::Ready(true);
            }
            if self.failed() {
                return Poll::Ready(false);
            }
            read.blocked = true;
            Poll::Pending
        })
        .await
    }

    /// Waits while `pause_reading` holds back what has arrived.
    async fn resumed(&self) {
        poll_fn(|_| {
            let mut read = self.read.borrow_mut();
            let open = self.state.get() == State::Open && !self.failed() && !self.upgrading();
            read.blocked = read.paused && open;
            match read.blocked {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }

    fn feed(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        {
            let mut read = self.read.borrow_mut();
            if read.buffer.ended() || !read.feed(bytes) {
                // Aborted meanwhile, or not enough yet.
                return;
            }
            if read.receives {
                read.satisfied = true;
                return;
            }
        }
        self.wakers.wake_reader();
    }
}

async fn pending_once() {
    let mut again = false;
    poll_fn(|_| match std::mem::replace(&mut again, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

//! The task of a connection: the only one that touches the transport.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::{Connection, SENT, State, wake};
use crate::runtime::budget;
use crate::transport::{Received, Sink, Source};

/// What an idle connection keeps ready to receive into.
const SMALL_RECEIVE: usize = 2 * 1024;
/// The most that is received at once.
const LARGE_RECEIVE: usize = 256 * 1024;
/// Spare large buffers kept for all connections together.
const POOLED: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The task's side.
impl Connection {
    /// Moves bytes until the connection is to be closed.
    pub(crate) async fn run(&self, source: impl Source, sink: impl Sink) {
        let receiving = self.until(State::Closing, self.receive(source));
        let sending = self.until(State::Aborting, self.send(sink));
        let mut both = pin!(futures::future::join(receiving, sending));
        poll_fn(|cx| {
            match &mut *self.task.borrow_mut() {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            both.as_mut().poll(cx).map(drop)
        })
        .await;
        self.task.borrow_mut().take();
    }

    /// Runs `work` until it ends or the state has come to `end`.
    async fn until(&self, end: State, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.state.get() >= end {
                return Poll::Ready(());
            }
            work.as_mut().poll(cx)
        })
        .await;
    }

    async fn receive(&self, mut source: impl Source) {
        let mut small = Vec::new();
        let mut full = false;
        while self.room().await {
            let received = if full {
                // More has probably come: take it in one go, but never wait
                // with a large buffer in hand.
                let (received, large) = source.receive_now(large_buffer()).await;
                full = large.len() == large.capacity();
                self.feed(&large);
                pool(large);
                received
            } else {
                small.reserve_exact(SMALL_RECEIVE);
                let received;
                (received, small) = source.receive(small).await;
                full = small.len() == small.capacity();
                self.resumed().await;
                self.feed(&small);
                small.clear();
                Some(received)
            };
            match received {
                None => full = false,
                Some(Received::Bytes) => budget::proceed().await,
                Some(Received::End) => {
                    self.read.borrow_mut().buffer.set_ended(true);
                    self.wake_reader();
                    return;
                }
                Some(Received::Failed(code)) => return self.fail(code),
            }
        }
    }

    /// Waits until there is room to receive into; false if none is to be waited
    /// for, because the connection has failed.
    async fn room(&self) -> bool {
        poll_fn(|_| {
            let mut read = self.read.borrow_mut();
            if read.open() {
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
            read.blocked = read.paused && !self.failed();
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
        let reader = {
            let mut read = self.read.borrow_mut();
            if read.buffer.ended() || !read.feed(bytes) {
                // Aborted meanwhile, or not enough yet.
                return;
            }
            read.reader.take()
        };
        wake(reader);
    }

    async fn send(&self, mut sink: impl Sink) {
        let mut spare = Vec::new();
        while let Some(data) = self.next_to_send(&mut spare).await {
            let (result, data) = sink.send(data, |count| self.sent(count)).await;
            if let Err(code) = result {
                return self.fail_sending(code);
            }
            spare = data;
        }
        if let Err(code) = sink.finish().await {
            return self.fail_sending(code);
        }
        // The end of the data is sent; `close` ends the rest.
        poll_fn(|_| match self.state.get() {
            State::Open => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// What to send next; `None` when nothing more will come.
    async fn next_to_send(&self, spare: &mut Vec<u8>) -> Option<Vec<u8>> {
        poll_fn(|_| {
            let mut write = self.write.borrow_mut();
            if !write.queued.is_empty() {
                spare.clear();
                let data = std::mem::replace(&mut write.queued, std::mem::take(spare));
                write.in_flight = data.len();
                return Poll::Ready(Some(data));
            }
            if write.eof || self.state.get() != State::Open {
                return Poll::Ready(None);
            }
            // An idle connection keeps no large buffer.
            for buffer in [&mut *spare, &mut write.queued] {
                if buffer.capacity() > SMALL_RECEIVE {
                    *buffer = Vec::new();
                }
            }
            write.idle = true;
            Poll::Pending
        })
        .await
    }

    fn sent(&self, count: usize) {
        SENT.with(|sent| sent.set(sent.get().wrapping_add(count as u64)));
        let woken = {
            let mut write = self.write.borrow_mut();
            write.in_flight = write.in_flight.saturating_sub(count);
            let size = write.size();
            let down = write.above && size <= write.low;
            if down {
                write.above = false;
            }
            down || size == 0
        };
        if woken {
            self.draining.wake_all();
        }
    }
}

fn large_buffer() -> Vec<u8> {
    POOL.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(LARGE_RECEIVE))
}

fn pool(mut buffer: Vec<u8>) {
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOLED {
            pool.push(buffer);
        }
    });
}

//! The task of a connection. Sending is its alone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::receiving::SMALL;
use super::{Connection, SENT, State};
use crate::transport::{Sink, Source};

/// The task's side.
impl Connection {
    /// Moves bytes until the connection is to be closed.
    pub(crate) async fn run(self: Rc<Self>, source: impl Source + 'static, sink: impl Sink) {
        self.clone().start_receiving(source);
        let mut sending = pin!(self.until(State::Aborting, self.send(sink)));
        let mut sent = false;
        poll_fn(|cx| {
            self.wakers.set_task(cx);
            #[cfg(not(feature = "component"))]
            self.wakers.take_rest();
            let received = self.poll_receiving().is_ready();
            sent = sent || sending.as_mut().poll(cx).is_ready();
            match received && sent {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        self.wakers.no_task();
    }

    /// Runs `work` until it ends or the state has come to `end`.
    pub(super) async fn until(&self, end: State, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.state.get() >= end {
                return Poll::Ready(());
            }
            work.as_mut().poll(cx)
        })
        .await;
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
                if buffer.capacity() > SMALL {
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

//! The task of a connection. Sending is its alone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::close::SENT;
use super::receive_buffer::SMALL;
use super::{Connection, State};
use crate::error::ErrorCode;
use crate::ssl::Session;
use crate::transport::{Sink, Source};

/// What the task sends next.
enum Next {
    Data(Vec<u8>),
    /// Nothing more in this way: TLS is to begin.
    Tls,
    /// Nothing more at all.
    End,
}

/// The task's side.
impl Connection {
    /// Moves bytes until the connection is to be closed.
    pub(crate) async fn run(self: Rc<Self>, source: impl Source + 'static, sink: impl Sink) {
        self.work(source, sink, async { Ok(()) }).await;
    }

    /// The same over TLS. From `close` on, `ending` ends the session, while what was
    /// written is sent.
    pub(crate) async fn run_session(self: Rc<Self>, session: Session) {
        let halves = (session.open)();
        self.work(halves.source, halves.sink, halves.ending).await;
    }

    /// Gives the sink back where TLS is to begin: both directions have come to rest
    /// then.
    pub(super) async fn work<S: Sink>(
        self: &Rc<Self>,
        source: impl Source + 'static,
        sink: S,
        ending: impl Future<Output = Result<(), ErrorCode>>,
    ) -> Option<S> {
        self.clone().start_receiving(source);
        let mut sending = pin!(self.until(State::Aborting, self.send(sink)));
        let mut sent = false;
        let mut parked = None;
        let mut ending = pin!(self.until(State::Aborting, ending));
        let mut ended = false;
        let sink = poll_fn(|cx| {
            self.wakers.set_task(cx);
            #[cfg(not(feature = "component"))]
            self.wakers.take_rest();
            let received = self.poll_receiving().is_ready();
            let closing = self.state.get() >= State::Closing;
            // A session that is cut short has to be so before sending is given up.
            if closing
                && !ended
                && let Poll::Ready(result) = ending.as_mut().poll(cx)
            {
                ended = true;
                if let Some(Err(code)) = result {
                    self.fail_sending(code);
                }
            }
            if !sent && let Poll::Ready(sink) = sending.as_mut().poll(cx) {
                sent = true;
                parked = sink.flatten();
            }
            if parked.is_some() && !closing {
                return match received || self.parked.get() {
                    true => Poll::Ready(parked.take()),
                    false => Poll::Pending,
                };
            }
            match received && sent && (ended || !closing) {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        })
        .await;
        self.wakers.no_task();
        sink
    }

    /// Runs `work` until it ends or the state has come to `end`.
    pub(super) async fn until<T>(&self, end: State, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self.state.get() >= end {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Gives the sink back where TLS is to begin.
    async fn send<S: Sink>(&self, mut sink: S) -> Option<S> {
        let mut spare = Vec::new();
        loop {
            let data = match self.next_to_send(&mut spare).await {
                Next::Data(data) => data,
                Next::Tls => return Some(sink),
                Next::End => break,
            };
            let (result, data) = sink.send(data, |count| self.sent(count)).await;
            if let Err(code) = result {
                self.fail_sending(code);
                return None;
            }
            spare = data;
        }
        if let Err(code) = sink.finish().await {
            self.fail_sending(code);
            return None;
        }
        // The end of the data is sent; `close` ends the rest.
        poll_fn(|_| match self.state.get() {
            State::Open => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
        None
    }

    /// What to send next.
    async fn next_to_send(&self, spare: &mut Vec<u8>) -> Next {
        poll_fn(|_| {
            let mut write = self.write.borrow_mut();
            if !write.queued.is_empty() {
                spare.clear();
                let data = std::mem::replace(&mut write.queued, std::mem::take(spare));
                write.in_flight = data.len();
                return Poll::Ready(Next::Data(data));
            }
            if write.eof || self.state.get() != State::Open {
                return Poll::Ready(Next::End);
            }
            if self.upgrading() {
                return Poll::Ready(Next::Tls);
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
            let down = write.above && size <= write.marks.low;
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

//! The connection task. It drives one transport: it sends, and it receives while no read
//! does.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::close::SENT;
use super::receiver::{Party, Receiver};
use super::{Connection, State};
use crate::error::ErrorCode;
use crate::transport::{Sink, Source};

/// The next thing to send.
enum Next {
    Data(Vec<u8>),
    /// Nothing more over this transport: TLS is to begin.
    Tls,
    /// Nothing more: `write_eof` or `close` was called.
    End,
}

/// Runs in the connection task.
impl Connection {
    /// Moves bytes until the connection is to be closed.
    pub(crate) async fn run(self: Rc<Self>, source: impl Source + 'static, sink: impl Sink) {
        self.work(source, sink, async { Ok(()) }).await;
    }

    /// Moves bytes until the connection is to be closed, or both directions have come to
    /// rest for TLS. Only then the sink is given back.
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
            self.wake_ups.set_task(cx);
            let received = self.receive(Party::Task).is_ready();
            let closing = self.state.get() >= State::Closing;
            // Polled before sending, which `abort` drops: the session has to be cut short
            // first, or the peer would take the end of the stream for that of the data.
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
                return match received || self.is_parked() {
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
        self.wake_ups.clear_task();
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

    /// Sends what is written. Gives the sink back if TLS is to begin.
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
        self.write.borrow_mut().end_sent();
        self.draining.wake_all();
        // Reading goes on after `write_eof`: sending is over only from `close` on.
        poll_fn(|_| match self.state.get() {
            State::Open => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
        None
    }

    /// Waits for something to send.
    async fn next_to_send(&self, spare: &mut Vec<u8>) -> Next {
        poll_fn(|_| {
            let mut write = self.write.borrow_mut();
            if let Some(data) = write.next_to_send(spare) {
                return Poll::Ready(Next::Data(data));
            }
            if write.eof || self.state.get() != State::Open {
                return Poll::Ready(Next::End);
            }
            if self.upgrading() {
                return Poll::Ready(Next::Tls);
            }
            write.idles(spare);
            Poll::Pending
        })
        .await
    }

    /// Returns true if receiving has come to rest for TLS.
    fn is_parked(&self) -> bool {
        self.read.borrow().receiver == Receiver::Parked
    }

    /// The transport has taken that many bytes.
    pub(crate) fn sent(&self, count: usize) {
        SENT.with(|sent| sent.set(sent.get().wrapping_add(count as u64)));
        self.count_transfer(count);
        let drained = self.write.borrow_mut().sent(count);
        if drained {
            self.draining.wake_all();
        }
    }
}

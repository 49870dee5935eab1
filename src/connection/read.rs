//! The reader's side: reads are served from the buffer, and flow control.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::read_side::{Serve, Served};
use super::{Connection, State, Wait};
use crate::buffer::Buffer;
use crate::error::ReadError;
use crate::runtime::budget;

/// The reader's side.
impl Connection {
    /// Serves a read with what the buffer has, and nothing else: the short way
    /// to what `serve` comes to. `None` if it has to go that way: it would wait
    /// or fail, another one waits, or the budget is spent.
    #[inline(never)]
    pub(crate) fn at_once<T>(&self, take: impl FnOnce(&mut Buffer) -> Option<T>) -> Option<T> {
        let mut read = self.read.borrow_mut();
        if read.waiting.is_some() || !budget::short_read() {
            return None;
        }
        let taken = take(&mut read.buffer);
        if taken.is_some() {
            read.wanted = 0;
            let full = read.full;
            drop(read);
            if full {
                self.make_room();
            }
        }
        taken
    }

    /// Serves a read, waiting if need be.
    ///
    /// In this order: what the buffer can satisfy, a pending error, the end of
    /// the data, waiting. Nothing is consumed before it is complete, so a read
    /// that is dropped has lost nothing.
    pub(crate) async fn serve<T>(&self, mut serve: impl Serve<T>) -> Result<T, ReadError> {
        budget::proceed().await;
        if let Some(now) = self.serve_now(&mut serve)? {
            return Ok(now);
        }
        self.wait(false, serve)
            .await
            .unwrap_or(Err(ReadError::Busy))
    }

    /// Waits until `look`, which takes nothing, is ready, or another call has
    /// taken this one's place.
    #[cfg(feature = "component")]
    pub(crate) async fn ready(&self, mut look: impl Serve<()>) -> Result<(), ReadError> {
        budget::proceed().await;
        if self.serve_now(&mut look)?.is_none() {
            self.wait(true, look).await.transpose()?;
        }
        Ok(())
    }

    /// Waits for bytes; `None` if another call has taken this one's place.
    async fn wait<T>(
        &self,
        yields: bool,
        mut serve: impl Serve<T>,
    ) -> Option<Result<T, ReadError>> {
        let waiting = Waiting::begin(self, yields);
        poll_fn(|cx| {
            if !waiting.is_current() {
                return Poll::Ready(None);
            }
            loop {
                let served = self.read.borrow_mut().serve(&mut serve);
                match served {
                    Served::Done(value) => {
                        self.make_room();
                        return Poll::Ready(Some(Ok(value)));
                    }
                    Served::Failed(code) => {
                        return Poll::Ready(Some(Err(ReadError::Connection(code))));
                    }
                    Served::Wait(wanted) => {
                        self.want(wanted, cx);
                        if !self.receive_here() {
                            budget::refill();
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await
    }

    /// Serves a read without waiting; `None` if it would have to.
    ///
    /// One that yields is over, whatever this comes to.
    pub(crate) fn serve_now<T>(&self, serve: &mut impl Serve<T>) -> Result<Option<T>, ReadError> {
        let displaced = {
            let mut read = self.read.borrow_mut();
            read.check_free()?;
            read.wanted = 0;
            read.waiting.take().is_some()
        };
        if displaced {
            self.wakers.wake_reader();
        }
        let mut read = self.read.borrow_mut();
        match read.serve(serve) {
            Served::Done(value) => {
                drop(read);
                self.make_room();
                Ok(Some(value))
            }
            Served::Failed(code) => Err(ReadError::Connection(code)),
            Served::Wait(_) => Ok(None),
        }
    }

    /// Whether a read would not have to wait, without consuming anything.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        {
            let read = self.read.borrow();
            if let Err(busy) = read.check_free() {
                return Poll::Ready(Err(busy));
            }
            if !read.buffer.is_empty() || read.buffer.ended() {
                return Poll::Ready(Ok(()));
            }
            if let Some(code) = &read.error {
                return Poll::Ready(Err(ReadError::Connection(code.clone())));
            }
        }
        budget::refill();
        self.want(1, cx);
        Poll::Pending
    }

    pub(crate) fn buffer<T>(&self, look: impl FnOnce(&mut Buffer) -> T) -> T {
        look(&mut self.read.borrow_mut().buffer)
    }

    pub(crate) fn at_eof(&self) -> bool {
        let read = self.read.borrow();
        (read.buffer.ended() || read.ended_before_error) && read.buffer.is_empty()
    }

    pub(crate) fn pause_reading(&self) {
        if self.state.get() != State::Open {
            return;
        }
        let mut read = self.read.borrow_mut();
        read.paused = true;
        if self.wakers.resting() {
            // Between two reads nobody has looked what comes.
            read.last_look = true;
            drop(read);
            self.wakers.take_rest();
            self.wakers.receive();
        }
    }

    pub(crate) fn resume_reading(&self) {
        {
            let mut read = self.read.borrow_mut();
            read.paused = false;
            read.last_look = false;
        }
        self.wake_receiving();
    }

    pub(crate) fn is_reading(&self) -> bool {
        let read = self.read.borrow();
        self.state.get() == State::Open && !read.paused && !read.full
    }

    /// Waits for more bytes: the transport receives until there are `wanted`,
    /// past the limit if need be.
    fn want(&self, wanted: usize, cx: &mut Context<'_>) {
        {
            let mut read = self.read.borrow_mut();
            read.wanted = wanted;
            read.full = false;
        }
        self.wakers.set_reader(cx);
        self.wake_receiving();
    }

    /// After bytes were taken: receiving goes on once the buffer is down to
    /// the limit.
    pub(crate) fn make_room(&self) {
        {
            let mut read = self.read.borrow_mut();
            if !read.full || read.buffer.len() > read.buffer.limit() {
                return;
            }
            read.full = false;
        }
        self.wake_receiving();
    }

    /// Wakes the task if it waits for room.
    fn wake_receiving(&self) {
        let blocked = std::mem::take(&mut self.read.borrow_mut().blocked);
        if blocked {
            self.wakers.receive();
        }
    }
}

/// A call that waits; the reader is free again when it is dropped.
struct Waiting<'a> {
    connection: &'a Connection,
    wait: Wait,
}

impl<'a> Waiting<'a> {
    /// Takes the place of one that yields, if there is one.
    fn begin(connection: &'a Connection, yields: bool) -> Waiting<'a> {
        let wait = {
            let mut read = connection.read.borrow_mut();
            let number = read.next_wait;
            read.next_wait = number.wrapping_add(1);
            let wait = Wait { number, yields };
            read.waiting = Some(wait);
            wait
        };
        connection.wakers.wake_reader();
        Waiting { connection, wait }
    }

    fn is_current(&self) -> bool {
        self.connection.read.borrow().waiting == Some(self.wait)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let current = {
            let mut read = self.connection.read.borrow_mut();
            let current = read.waiting == Some(self.wait);
            if current {
                read.waiting = None;
                read.wanted = 0;
            }
            current
        };
        if current {
            self.connection.wakers.no_reader();
        }
        self.connection.leave_receiving(self.wait.number);
    }
}

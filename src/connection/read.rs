//! Reads: from the buffer at once, or after waiting. And pausing.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::read_side::{Attempt, Attempted};
use super::receiver::Party;
use super::{Connection, State};
use crate::buffer::Buffer;
use crate::error::ReadError;
use crate::runtime::budget;

/// Reads.
impl Connection {
    /// Serves a read from the buffer: the short way to the result of [`read`](Self::read).
    ///
    /// Returns `None` if the read has to take the long way: it would wait or fail,
    /// another one waits, or the budget is spent. A function of its own, so that the
    /// short way stays small: `readline` takes it for nearly every line.
    #[inline(never)]
    pub(crate) fn try_read<T>(&self, take: impl FnOnce(&mut Buffer) -> Option<T>) -> Option<T> {
        let mut read = self.read.borrow_mut();
        if read.is_waited_for() || !budget::short_read() {
            return None;
        }
        let taken = take(&mut read.buffer);
        if taken.is_some() {
            let full = read.flow.is_full();
            drop(read);
            if full {
                self.make_room();
            }
        }
        taken
    }

    /// Serves a read, waiting if need be.
    ///
    /// Takes nothing from the buffer before the read is complete, so a read that is
    /// dropped has lost nothing.
    pub(crate) async fn read<T>(&self, mut attempt: impl Attempt<T>) -> Result<T, ReadError> {
        budget::proceed().await;
        if let Some(value) = self.read_now(&mut attempt)? {
            return Ok(value);
        }
        self.wait(false, attempt)
            .await
            .unwrap_or(Err(ReadError::Busy))
    }

    /// Waits until `look`, which takes nothing, is ready, or another read has taken this
    /// call's place.
    #[cfg(any(feature = "component", test))]
    pub(crate) async fn ready(&self, mut look: impl Attempt<()>) -> Result<(), ReadError> {
        budget::proceed().await;
        if self.read_now(&mut look)?.is_none() {
            self.wait(true, look).await.transpose()?;
        }
        Ok(())
    }

    /// Waits for bytes; `None` if another read has taken this one's place.
    async fn wait<T>(
        &self,
        yields: bool,
        mut attempt: impl Attempt<T>,
    ) -> Option<Result<T, ReadError>> {
        let waiting = Waiting::begin(self, yields);
        poll_fn(|cx| {
            loop {
                let attempted = {
                    let mut read = self.read.borrow_mut();
                    if !read.is_waiting(waiting.number) {
                        return Poll::Ready(None);
                    }
                    read.attempt(&mut attempt)
                };
                match attempted {
                    Attempted::Done(value) => {
                        self.make_room();
                        return Poll::Ready(Some(Ok(value)));
                    }
                    Attempted::Failed(code) => {
                        return Poll::Ready(Some(Err(ReadError::Connection(code))));
                    }
                    Attempted::Wait(wanted) => {
                        self.wait_for(wanted, cx);
                        // Its end shows in the next attempt: the read is woken for it.
                        let _ = self.receive(Party::Read(waiting.number));
                        if !self.read.borrow().has_wanted() {
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
    /// A call that only waits (`ready`) loses its place to this one in any case.
    pub(crate) fn read_now<T>(
        &self,
        attempt: &mut impl Attempt<T>,
    ) -> Result<Option<T>, ReadError> {
        let displaced = self.read.borrow_mut().read_begins()?;
        if displaced {
            self.wake_ups.wake_read();
        }
        let attempted = self.read.borrow_mut().attempt(attempt);
        match attempted {
            Attempted::Done(value) => {
                self.make_room();
                Ok(Some(value))
            }
            Attempted::Failed(code) => Err(ReadError::Connection(code)),
            Attempted::Wait(_) => Ok(None),
        }
    }

    /// Waits until a read would not have to wait, without taking anything. For code that
    /// polls: such a read is woken, but it neither receives nor counts as a read that
    /// waits, since nothing tells when it is given up.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        if let Some(readable) = self.read.borrow().readable() {
            return Poll::Ready(readable);
        }
        budget::refill();
        self.wait_for(1, cx);
        Poll::Pending
    }

    pub(crate) fn buffer<T>(&self, look: impl FnOnce(&mut Buffer) -> T) -> T {
        look(&mut self.read.borrow_mut().buffer)
    }

    pub(crate) fn at_eof(&self) -> bool {
        self.read.borrow().at_eof()
    }

    /// Has receiving go on until there are `wanted` bytes, and the caller woken.
    fn wait_for(&self, wanted: usize, cx: &mut Context<'_>) {
        self.wake_ups.set_read(cx);
        let wake = self.read.borrow_mut().read_waits(wanted);
        self.wake_to_receive(wake);
    }

    /// Has receiving go on once the buffer is down to the limit, after bytes were taken
    /// or the limit was changed.
    pub(crate) fn make_room(&self) {
        let wake = self.read.borrow_mut().taken();
        self.wake_to_receive(wake);
    }
}

/// Pausing.
impl Connection {
    pub(crate) fn pause_reading(&self) {
        if self.state.get() == State::Open {
            let wake = self.read.borrow_mut().paused();
            self.wake_to_receive(wake);
        }
    }

    pub(crate) fn resume_reading(&self) {
        let wake = self.read.borrow_mut().resumed();
        self.wake_to_receive(wake);
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.state.get() == State::Open && self.read.borrow().flow.is_open()
    }

    fn wake_to_receive(&self, wake: bool) {
        if wake {
            self.wake_ups.wake_to_receive();
        }
    }
}

/// A read that waits. Dropping it, after the read was served or before, leaves the place
/// to other reads and receiving to the task.
struct Waiting<'a> {
    connection: &'a Connection,
    number: u64,
}

impl<'a> Waiting<'a> {
    fn begin(connection: &'a Connection, yields: bool) -> Waiting<'a> {
        let number = connection.read.borrow_mut().wait_begins(yields);
        // Code that polls (`poll_readable`) may be in the slot, and has to find the
        // connection busy.
        connection.wake_ups.wake_read();
        Waiting { connection, number }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let current = self.connection.read.borrow_mut().wait_ends(self.number);
        if current {
            self.connection.wake_ups.clear_read();
        }
        self.connection.read_dropped(self.number);
    }
}

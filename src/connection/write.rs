//! Writes: the queue of bytes to send, and its water marks.

use std::task::{Context, Poll};

use super::receive_buffer::SMALL;
use super::{Connection, State};
use crate::error::WriteError;
use crate::runtime::budget;
use crate::water_marks::WaterMarks;

/// A write is refused if more bytes than this wait to be sent.
pub(crate) const WRITE_HARD_LIMIT: usize = 64 * 1024 * 1024;

/// The state of the writer's side.
#[derive(Debug)]
pub(super) struct WriteSide {
    /// Bytes that were written and not handed to the transport yet.
    queued: Vec<u8>,
    /// How many bytes the transport has in hand and has not taken yet.
    in_flight: usize,
    marks: WaterMarks,
    /// `drain` waits: set when more than the high-water mark is buffered, cleared when it
    /// is down to the low one.
    above: bool,
    /// `write_eof` was called. Never cleared.
    pub(super) eof: bool,
    /// The transport has taken the end of the data. Never cleared.
    ended: bool,
    /// Bytes that were written since `start_tls` was called, for the session to send.
    /// `None` before that call and once the session runs.
    held: Option<Vec<u8>>,
    /// `abort` threw bytes away. Never cleared.
    pub(super) discarded: bool,
    /// The task waits for something to send: the next write wakes it.
    idle: bool,
}

/// Writes.
impl Connection {
    /// Queues `size` bytes, which `fill` appends.
    pub(crate) fn write(
        &self,
        size: usize,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), WriteError> {
        {
            let mut write = self.write.borrow_mut();
            self.writable(&write)?;
            if size == 0 {
                return Ok(());
            }
            let waiting = write.size();
            if waiting > WRITE_HARD_LIMIT {
                return Err(WriteError::BufferFull { waiting });
            }
            match &mut write.held {
                Some(held) => fill(held),
                None => fill(&mut write.queued),
            }
            write.above |= write.size() > write.marks.high;
        }
        self.wake_sending();
        Ok(())
    }

    /// Takes the bytes that were written and not handed to the transport yet. The caller
    /// hands them over and reports them as [`sent`](Self::sent).
    pub(crate) fn hand_over(&self) -> Vec<u8> {
        match self.write.try_borrow_mut() {
            Ok(mut write) => {
                let queued = std::mem::take(&mut write.queued);
                write.in_flight = write.in_flight.saturating_add(queued.len());
                queued
            }
            Err(_) => Vec::new(),
        }
    }

    fn writable(&self, write: &WriteSide) -> Result<(), WriteError> {
        if write.eof {
            return Err(WriteError::EofWritten);
        }
        if let Some(code) = &*self.failure.borrow() {
            return Err(WriteError::Connection(code.clone()));
        }
        if write.discarded {
            return Err(WriteError::Aborted);
        }
        if self.state.get() != State::Open {
            return Err(WriteError::Closed);
        }
        Ok(())
    }

    pub(crate) async fn drain(&self) -> Result<(), WriteError> {
        budget::proceed().await;
        self.not_over()?;
        if self.ends() {
            let end = self.closing.wait_until(|| self.closed()).await;
            end.map_err(WriteError::Connection)?;
            self.not_over()?;
        }
        self.draining.wait_until(|| self.drained()).await
    }

    #[cfg(feature = "component")]
    pub(crate) fn drain_now(&self) -> Result<bool, WriteError> {
        self.not_over()?;
        Ok(budget::operation() && !self.ends() && self.drained().transpose()?.is_some())
    }

    /// Returns true if the connection is about to close and has nothing to send. A `drain`
    /// waits for that end and reports it, as in CPython. It does not wait for the end of a
    /// TLS session, which the peer may delay.
    fn ends(&self) -> bool {
        let write = self.write.borrow();
        matches!(self.state.get(), State::Closing | State::Aborting)
            && write.size() == 0
            && !write.discarded
            && !self.failed()
            && self.ssl_object().is_none()
    }

    /// Refuses a `drain` that begins after the connection has closed: it has nothing to
    /// wait for. One that began before succeeds if everything was sent.
    fn not_over(&self) -> Result<(), WriteError> {
        if self.state.get() != State::Closed || self.failed() {
            return Ok(());
        }
        Err(match self.write.borrow().discarded {
            true => WriteError::Aborted,
            false => WriteError::Closed,
        })
    }

    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.draining.poll(cx, || self.drained())
    }

    fn drained(&self) -> Option<Result<(), WriteError>> {
        if let Some(code) = &*self.failure.borrow() {
            return Some(Err(WriteError::Connection(code.clone())));
        }
        let write = self.write.borrow();
        if write.discarded {
            return Some(Err(WriteError::Aborted));
        }
        (!write.above).then_some(Ok(()))
    }

    /// Waits until the transport has taken everything that was written.
    pub(crate) fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.draining.poll(cx, || self.flushed())
    }

    fn flushed(&self) -> Option<Result<(), WriteError>> {
        self.drained()
            .filter(|drained| drained.is_err() || self.write.borrow().size() == 0)
    }

    /// Waits until the transport has taken the end of the data, after `write_eof` or
    /// `close`.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.draining.poll(cx, || self.end_taken())
    }

    fn end_taken(&self) -> Option<Result<(), WriteError>> {
        self.drained().filter(|drained| {
            drained.is_err() || self.write.borrow().ended || self.state.get() == State::Closed
        })
    }

    pub(crate) fn write_eof(&self) -> Result<(), WriteError> {
        if let Some(code) = &*self.failure.borrow() {
            return Err(WriteError::Connection(code.clone()));
        }
        if self.state.get() == State::Open {
            self.write.borrow_mut().eof = true;
            self.wake_sending();
        }
        Ok(())
    }

    pub(crate) fn write_buffer_size(&self) -> usize {
        self.write.borrow().size()
    }

    pub(crate) fn write_buffer_limits(&self) -> WaterMarks {
        self.write.borrow().marks
    }

    pub(crate) fn set_write_buffer_limits(&self, marks: WaterMarks) -> Result<(), WriteError> {
        let WaterMarks { high, low } = marks;
        if low > high {
            return Err(WriteError::InvalidArgument(format!(
                "the low-water mark ({low}) is above the high one ({high})"
            )));
        }
        let mut write = self.write.borrow_mut();
        write.marks = marks;
        write.above |= write.size() > high;
        Ok(())
    }

    /// Wakes the task if it waits for something to send.
    fn wake_sending(&self) {
        let idle = std::mem::take(&mut self.write.borrow_mut().idle);
        if idle {
            self.wake_ups.wake_task();
        }
    }
}

impl WriteSide {
    pub(super) fn new() -> WriteSide {
        WriteSide {
            queued: Vec::new(),
            in_flight: 0,
            marks: WaterMarks::default(),
            above: false,
            eof: false,
            ended: false,
            held: None,
            discarded: false,
            idle: false,
        }
    }

    /// How many bytes were written and not taken by the transport.
    pub(super) fn size(&self) -> usize {
        self.queued.len() + self.in_flight + self.held.as_ref().map_or(0, Vec::len)
    }

    /// Throws away what is buffered.
    pub(super) fn clear(&mut self) {
        self.queued = Vec::new();
        self.held = self.held.take().map(|_| Vec::new());
        self.in_flight = 0;
        self.above = false;
    }

    /// Takes the bytes that are sent next, leaving `spare` to be filled. `None` if there
    /// are none: the next write has to wake the task then.
    pub(super) fn next_to_send(&mut self, spare: &mut Vec<u8>) -> Option<Vec<u8>> {
        if self.queued.is_empty() {
            return None;
        }
        spare.clear();
        let data = std::mem::replace(&mut self.queued, std::mem::take(spare));
        self.in_flight = self.in_flight.saturating_add(data.len());
        Some(data)
    }

    /// The task waits for something to send. An idle connection keeps no large buffer.
    pub(super) fn idles(&mut self, spare: &mut Vec<u8>) {
        for buffer in [spare, &mut self.queued] {
            if buffer.capacity() > SMALL {
                *buffer = Vec::new();
            }
        }
        self.idle = true;
    }

    /// The transport has taken that many bytes. Returns whether calls of `drain` have to
    /// look again.
    pub(super) fn sent(&mut self, count: usize) -> bool {
        self.in_flight = self.in_flight.saturating_sub(count);
        let size = self.size();
        let down = self.above && size <= self.marks.low;
        if down {
            self.above = false;
        }
        down || size == 0
    }

    /// The transport has taken the end of the data.
    pub(super) fn end_sent(&mut self) {
        self.ended = true;
    }

    /// TLS is asked for: what is written from now on is the session's.
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// The session runs: it sends what was held.
    pub(super) fn release(&mut self) {
        self.queued = self.held.take().unwrap_or_default();
    }
}

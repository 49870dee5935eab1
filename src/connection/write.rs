//! The writer's side: the write buffer and its water marks.

use std::task::{Context, Poll};

use super::{Connection, State};
use crate::error::WriteError;
use crate::runtime::budget;
use crate::water_marks::WaterMarks;

/// Written bytes that wait: a write that finds more than this many is refused.
pub(super) const WRITE_HARD_LIMIT: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct WriteSide {
    /// What was written and not handed to the transport yet.
    pub(super) queued: Vec<u8>,
    /// What the transport has in hand and has not taken yet.
    pub(super) in_flight: usize,
    pub(super) marks: WaterMarks,
    /// Above the high-water mark since, and not yet down to the low one.
    pub(super) above: bool,
    pub(super) eof: bool,
    /// TLS is to begin: what is written from now on is held for it.
    pub(super) upgrading: bool,
    pub(super) held: Vec<u8>,
    /// `abort` threw bytes away.
    pub(super) discarded: bool,
    /// The task waits for something to send.
    pub(super) idle: bool,
}

/// The writer's side.
impl Connection {
    /// Takes `size` bytes, which `fill` appends.
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
            match write.upgrading {
                true => fill(&mut write.held),
                false => fill(&mut write.queued),
            }
            write.above |= write.size() > write.marks.high;
        }
        self.wake_sending();
        Ok(())
    }

    /// What was written and not handed to the transport yet.
    pub(crate) fn take_queued(&self) -> Vec<u8> {
        match self.write.try_borrow_mut() {
            Ok(mut write) => std::mem::take(&mut write.queued),
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
        self.draining.wait_until(|| self.drained()).await
    }

    #[cfg(feature = "component")]
    pub(crate) fn drain_now(&self) -> Result<bool, WriteError> {
        self.not_over()?;
        Ok(budget::operation() && self.drained().transpose()?.is_some())
    }

    /// A `drain` that begins after the end has nothing to wait for; one that
    /// began before is content with everything sent.
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

    /// Waits until nothing written waits any more.
    pub(crate) fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.draining.poll(cx, || self.flushed())
    }

    fn flushed(&self) -> Option<Result<(), WriteError>> {
        self.drained()
            .filter(|drained| drained.is_err() || self.write.borrow().size() == 0)
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
            self.wakers.send();
        }
    }
}

impl WriteSide {
    pub(super) fn size(&self) -> usize {
        self.queued.len() + self.in_flight + self.held.len()
    }

    pub(super) fn clear(&mut self) {
        self.queued = Vec::new();
        self.held = Vec::new();
        self.in_flight = 0;
        self.above = false;
    }

    /// TLS has begun.
    pub(super) fn upgraded(&mut self) {
        self.upgrading = false;
        self.queued = std::mem::take(&mut self.held);
    }
}

//! The reader's side of a connection: the buffer, and the rules of reading.
//!
//! Pure rules: no I/O, no wakers, no host. Methods named after an event change the
//! state; their results say what the caller has to do.

use super::flow::Flow;
use super::receiver::Receiver;
use crate::buffer::{Buffer, Found};
use crate::error::{ErrorCode, ReadError};

/// One attempt at a read: takes from the buffer, or says how many bytes are needed. A
/// read that waits attempts again after more bytes have arrived.
pub(crate) trait Attempt<T>: FnMut(&mut Buffer) -> Found<T> {}
impl<T, F: FnMut(&mut Buffer) -> Found<T>> Attempt<T> for F {}

/// The outcome of an attempt.
pub(super) enum Attempted<T> {
    Done(T),
    /// The buffer does not suffice, and the connection has failed.
    Failed(ErrorCode),
    /// The read waits for at least this many bytes in the buffer.
    Wait(usize),
}

/// The state of the reader's side.
///
/// The fields are independent of each other: any read may wait in any state of the
/// flow and of the receiver.
#[derive(Debug)]
pub(super) struct ReadSide {
    pub(super) buffer: Buffer,
    /// The party that receives.
    pub(super) receiver: Receiver,
    /// The state of the buffer: open, full or paused. Not part of the receiver: the
    /// program pauses reading, and the buffer fills up, with either party receiving.
    pub(super) flow: Flow,
    /// The read that waits. Not part of the receiver: a read may wait while the task
    /// receives, and the receive of one read may outlive it.
    waiting: Option<Wait>,
    /// The number of the next read that waits.
    next_number: u64,
    /// The error that reads get once the buffer does not suffice. Set when the
    /// connection fails, and never cleared.
    error: Option<ErrorCode>,
    /// The data had ended when the connection failed, so that `at_eof` stays true. Set
    /// together with `error`.
    ended_before_error: bool,
    /// Bytes that have arrived at the host are to be received once more, without
    /// waiting, although reading is paused or the connection is closing. Set when the
    /// pause or `close` meets a rest, in which nothing was pending at the host. Cleared
    /// by the receive that it leads to, and by `resume_reading`. Not part of the
    /// receiver: either party may take the last look, and it may still have to wait for
    /// its turn.
    last_look: bool,
}

/// A read that waits for bytes.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// Tells it from other reads.
    number: u64,
    /// The call only waits and takes nothing (`ready`), so that another read may take
    /// its place.
    yields: bool,
    /// How many bytes the buffer has to hold before the read attempts again.
    wanted: usize,
}

/// Reads.
impl ReadSide {
    pub(super) fn new(limit: usize) -> ReadSide {
        ReadSide {
            buffer: Buffer::new(limit),
            receiver: Receiver::default(),
            flow: Flow::default(),
            waiting: None,
            next_number: 0,
            error: None,
            ended_before_error: false,
            last_look: false,
        }
    }

    /// Refuses a read while another one waits.
    pub(super) fn check_free(&self) -> Result<(), ReadError> {
        match self.waiting {
            Some(Wait { yields: false, .. }) => Err(ReadError::Busy),
            _ => Ok(()),
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.is_some()
    }

    /// Serves a read from the buffer, or reports the pending error.
    pub(super) fn attempt<T>(&mut self, attempt: &mut impl Attempt<T>) -> Attempted<T> {
        match attempt(&mut self.buffer) {
            Found::Ready(value) => Attempted::Done(value),
            Found::Wait(wanted) => match &self.error {
                Some(code) => Attempted::Failed(code.clone()),
                None => Attempted::Wait(wanted),
            },
        }
    }

    /// A read begins that takes the place of one that yields. Returns whether there was
    /// one, which has to be woken to find that out.
    pub(super) fn read_begins(&mut self) -> Result<bool, ReadError> {
        self.check_free()?;
        Ok(self.waiting.take().is_some())
    }

    /// A read begins to wait. Returns its number.
    pub(super) fn wait_begins(&mut self, yields: bool) -> u64 {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        self.waiting = Some(Wait {
            number,
            yields,
            wanted: 0,
        });
        number
    }

    /// Returns true if the read with this number still waits: another one may have taken its
    /// place.
    pub(super) fn is_waiting(&self, number: u64) -> bool {
        self.waiting.is_some_and(|wait| wait.number == number)
    }

    /// The read that waits has to have `wanted` bytes. Receiving goes on until then, past
    /// the limit if need be. Returns whether the task has to be woken to receive.
    pub(super) fn read_waits(&mut self, wanted: usize) -> bool {
        if let Some(wait) = &mut self.waiting {
            // Never satisfied by what the attempt has seen already.
            wait.wanted = wanted.max(self.buffer.len().saturating_add(1));
        }
        self.flow.read_waits();
        self.receiver.room_made()
    }

    /// Returns true if the buffer holds what the waiting read wants, or if none waits.
    pub(super) fn has_wanted(&self) -> bool {
        let wanted = self.waiting.map_or(0, |wait| wait.wanted);
        self.buffer.len() >= wanted
    }

    /// A read that waited is gone, served or not. Returns whether it was still the one
    /// that waits.
    pub(super) fn wait_ends(&mut self, number: u64) -> bool {
        let current = self.is_waiting(number);
        if current {
            self.waiting = None;
        }
        current
    }

    /// Returns true if a read would not have to wait for bytes, and an error if it would fail.
    pub(super) fn readable(&self) -> Option<Result<(), ReadError>> {
        if let Err(busy) = self.check_free() {
            return Some(Err(busy));
        }
        if !self.buffer.is_empty() || self.buffer.ended() {
            return Some(Ok(()));
        }
        let code = self.error.clone()?;
        Some(Err(ReadError::Connection(code)))
    }

    pub(super) fn at_eof(&self) -> bool {
        (self.buffer.ended() || self.ended_before_error) && self.buffer.is_empty()
    }
}

/// Receiving.
impl ReadSide {
    /// Bytes have arrived. Returns whether the waiting read has to be woken for them: not
    /// if that read receives, since it looks again after its turn.
    pub(super) fn fed(&mut self, bytes: &[u8]) -> bool {
        // After `abort` nothing is taken any more.
        if bytes.is_empty() || self.buffer.ended() {
            return false;
        }
        self.buffer.feed(bytes);
        let enough = self.has_wanted();
        self.flow
            .fed(self.buffer.len(), self.buffer.limit(), !enough);
        enough && !self.receiver.in_read()
    }

    /// Bytes were taken, or the limit has changed. Returns whether the task has to be
    /// woken to receive.
    pub(super) fn taken(&mut self) -> bool {
        self.flow.taken(self.buffer.len(), self.buffer.limit()) && self.receiver.room_made()
    }

    /// Reading is paused. Returns whether the task has to be woken for a last look:
    /// receiving rested.
    pub(super) fn paused(&mut self) -> bool {
        self.flow.pause();
        let rested = self.receiver.rest_over();
        self.last_look |= rested;
        rested
    }

    /// Reading is resumed. Returns whether the task has to be woken to receive.
    pub(super) fn resumed(&mut self) -> bool {
        self.flow.resume();
        self.last_look = false;
        self.receiver.room_made()
    }

    pub(super) fn has_last_look(&self) -> bool {
        self.last_look
    }

    /// A receive begins. Returns whether it is the last look, and must not wait.
    pub(super) fn receive_begins(&mut self) -> bool {
        std::mem::take(&mut self.last_look)
    }

    /// Removes everything that was received and not read.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        let all = self.buffer.len();
        let all = self.buffer.take(all).into();
        // No one is to be woken: receiving is over, or parked.
        self.flow.taken(0, self.buffer.limit());
        all
    }
}

/// The end.
impl ReadSide {
    /// `close` was called.
    pub(super) fn closed(&mut self) {
        let rested = self.receiver.rest_over();
        self.last_look |= rested && self.flow.is_open();
    }

    /// `abort` was called: nothing is received any more.
    pub(super) fn aborted(&mut self) {
        self.buffer.set_ended(true);
    }

    /// The data have ended well.
    pub(super) fn ended(&mut self) {
        self.buffer.set_ended(true);
    }

    /// The connection has failed: reads get what is buffered, then the error.
    pub(super) fn failed(&mut self, code: ErrorCode) {
        self.ended_before_error = self.buffer.ended();
        self.buffer.set_ended(false);
        self.error = Some(code);
    }

    /// The transport is gone. `failure` says how the connection failed, if it did: the
    /// end of the data was not received then.
    pub(super) fn transport_gone(&mut self, failure: Option<&ErrorCode>) {
        if self.error.is_none() && !self.buffer.ended() {
            self.error = failure.cloned();
            self.buffer.set_ended(self.error.is_none());
        }
    }
}

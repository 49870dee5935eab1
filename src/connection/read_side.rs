//! What the reader's side knows, and the rules of reading: no I/O.

use crate::buffer::{Buffer, Found};
use crate::error::{ErrorCode, ReadError};

/// What a read does with the buffer, again and again until it is ready.
pub(crate) trait Serve<T>: FnMut(&mut Buffer) -> Found<T> {}
impl<T, F: FnMut(&mut Buffer) -> Found<T>> Serve<T> for F {}

#[derive(Debug)]
pub(super) struct ReadSide {
    pub(super) buffer: Buffer,
    pub(super) error: Option<ErrorCode>,
    /// By flow control: more than twice the limit was buffered, and not yet
    /// down to the limit.
    pub(super) full: bool,
    /// By `pause_reading`.
    pub(super) paused: bool,
    /// How many bytes the waiting read needs; 0 if none waits.
    pub(super) wanted: usize,
    /// Who waits.
    pub(super) waiting: Option<Wait>,
    /// The number of the next one who waits.
    pub(super) next_wait: u64,
    /// The data had ended before the connection failed.
    pub(super) ended_before_error: bool,
    /// Before the pause takes hold, what has arrived meanwhile is taken.
    pub(super) last_look: bool,
    /// The task waits for room.
    pub(super) blocked: bool,
    /// The read that waits receives, now.
    pub(super) receives: bool,
    /// It has what it wants.
    pub(super) satisfied: bool,
}

/// A call that waits for bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    pub(super) number: u64,
    /// It only waits and takes nothing, so that another may take its place.
    pub(super) yields: bool,
}

pub(super) enum Served<T> {
    Done(T),
    Failed(ErrorCode),
    Wait(usize),
}

impl ReadSide {
    /// Refuses a read while another one waits.
    pub(super) fn check_free(&self) -> Result<(), ReadError> {
        match self.waiting {
            Some(Wait { yields: false, .. }) => Err(ReadError::Busy),
            _ => Ok(()),
        }
    }

    pub(super) fn serve<T>(&mut self, serve: &mut impl Serve<T>) -> Served<T> {
        match serve(&mut self.buffer) {
            Found::Ready(value) => Served::Done(value),
            Found::Wait(wanted) => match &self.error {
                // A read to the end gets what there was; the next one the error.
                Some(_) if wanted == usize::MAX && !self.buffer.is_empty() => {
                    self.buffer.set_ended(true);
                    let found = serve(&mut self.buffer);
                    self.buffer.set_ended(false);
                    match found {
                        Found::Ready(value) => Served::Done(value),
                        Found::Wait(wanted) => Served::Wait(wanted),
                    }
                }
                Some(code) => Served::Failed(code.clone()),
                None => Served::Wait(wanted),
            },
        }
    }

    /// Whether there is room to receive into.
    pub(super) fn open(&self) -> bool {
        !self.paused && !self.full
    }

    /// Everything that was received and not read.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        self.full = false;
        let all = self.buffer.len();
        self.buffer.take(all).into()
    }

    /// Appends what has arrived, and says whether the read that waits has what
    /// it wants. Receiving goes on until then.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        self.buffer.feed(bytes);
        let buffered = self.buffer.len();
        let enough = buffered >= self.wanted;
        self.full = enough && buffered > self.buffer.limit().saturating_mul(2);
        enough
    }
}

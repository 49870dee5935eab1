//! What carries the bytes. A transport moves bytes and knows nothing of
//! limits, lines or water marks.

pub(crate) mod raw;

#[cfg(test)]
pub(crate) mod memory;

use std::future::Future;

use crate::error::ErrorCode;

/// What a receive came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Received {
    /// Bytes, appended to the buffer.
    Bytes,
    /// Nothing: it was given up.
    Nothing,
    /// Nothing more will come; [`Source::outcome`] says why.
    Over,
}

/// The receiving half. Dropping it gives up receiving.
pub(crate) trait Source {
    /// Receives into the spare capacity of `buffer` and gives it back. Polled
    /// while `give_up` says so, it ends at once.
    fn receive(
        &mut self,
        buffer: Vec<u8>,
        give_up: impl Fn() -> bool,
    ) -> impl Future<Output = (Received, Vec<u8>)>;

    /// How the data ended.
    fn outcome(&mut self) -> impl Future<Output = Result<(), ErrorCode>>;
}

/// The sending half. Dropping it without [`finish`](Sink::finish) gives up
/// sending.
pub(crate) trait Sink {
    /// Sends all of `data` and gives its memory back. `progress` is called with
    /// the number of bytes each time some were taken.
    fn send(
        &mut self,
        data: Vec<u8>,
        progress: impl FnMut(usize),
    ) -> impl Future<Output = (Result<(), ErrorCode>, Vec<u8>)>;

    /// Sends the end of the data and waits until the host has taken it.
    fn finish(&mut self) -> impl Future<Output = Result<(), ErrorCode>>;
}

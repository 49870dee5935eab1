//! What carries the bytes. A transport moves bytes and knows nothing of
//! limits, lines or water marks.

pub(crate) mod raw;
pub(crate) mod tcp;

#[cfg(test)]
pub(crate) mod memory;

use std::future::Future;

use crate::error::ErrorCode;

/// What a receive brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// Bytes, appended to the buffer.
    Bytes,
    /// The end of the data.
    End,
    /// The connection failed.
    Failed(ErrorCode),
}

/// The receiving half. Dropping it gives up receiving.
pub(crate) trait Source {
    /// Receives into the spare capacity of `buffer` and gives it back.
    fn receive(&mut self, buffer: Vec<u8>) -> impl Future<Output = (Received, Vec<u8>)>;

    /// As `receive`, if it can be done without waiting; `None` leaves the
    /// buffer as it was.
    fn receive_now(&mut self, buffer: Vec<u8>)
    -> impl Future<Output = (Option<Received>, Vec<u8>)>;
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

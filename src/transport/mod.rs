//! Transports: what carries the bytes of a connection, as a [`Source`] and a [`Sink`].
//!
//! A transport moves bytes and knows nothing of limits, lines or water marks.

pub(crate) mod raw;

#[cfg(test)]
pub(crate) mod memory;

use std::future::Future;

use crate::error::ErrorCode;

/// The result of a receive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Received {
    /// Bytes were appended to the buffer.
    Bytes,
    /// Nothing was received: the caller gave up.
    Nothing,
    /// Nothing more will arrive; [`Source::outcome`] says why.
    Over,
}

/// The receiving half. Dropping it gives up receiving.
pub(crate) trait Source {
    /// Receives into the spare capacity of `buffer` and returns the buffer.
    ///
    /// A poll that would wait cancels the receive if `give_up` returns true. The host is
    /// asked to cancel, so that no byte is lost that has arrived meanwhile.
    fn receive(
        &mut self,
        buffer: Vec<u8>,
        give_up: impl Fn() -> bool,
    ) -> impl Future<Output = (Received, Vec<u8>)>;

    /// Waits for the result with which the data ended: an error unless the peer ended them.
    fn outcome(&mut self) -> impl Future<Output = Result<(), ErrorCode>>;
}

/// The sending half. Dropping it without [`finish`](Sink::finish) gives up sending.
pub(crate) trait Sink {
    /// Sends all of `data` and returns its memory. Calls `progress` with the number of bytes
    /// each time the host takes some.
    fn send(
        &mut self,
        data: Vec<u8>,
        progress: impl FnMut(usize),
    ) -> impl Future<Output = (Result<(), ErrorCode>, Vec<u8>)>;

    /// Sends the end of the data and waits for the result of sending.
    fn finish(&mut self) -> impl Future<Output = Result<(), ErrorCode>>;
}

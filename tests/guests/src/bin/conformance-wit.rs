//! Runs the battery over TCP and Unix sockets, with TLS or without; composed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check that fails ends the program"
)]
use guests::composed as net;
include!("../both_forms/conformance.rs");

/// Reads, or gives up after a millisecond.
async fn read_or_give_up(reader: &StreamReader, n: usize) -> Option<bytes::Bytes> {
    let limit = Duration::from_millis(1);
    let read = reader.read_within(n, limit).await;
    read.ok().map(Result::unwrap)
}

//! The battery: checks that hold for every connection, over every transport.
//!
//! It takes a maker of connected pairs. It runs over TCP on IPv4 and IPv6 and over Unix
//! sockets, with and without TLS; in programs that connect and programs that serve, linked
//! and composed; and over a pair in memory. The file that includes it provides the library to
//! check (`net`), a maker of pairs, a way to let other tasks run (`pause`), and a read that
//! gives up without losing anything (`read_or_give_up`).
//!
//! Each check is a function named after the sentence that it checks, with the rows of
//! `docs/conformance.md` that it shows.

mod defects;
mod ends;
mod limits;
mod reads;
mod transport;
mod waiting;
mod writes;

use futures::future::LocalBoxFuture;

use super::net::{ErrorCode, ReadError, StreamReader, StreamWriter, WriteError};
use super::pause;
use waiting::{until, waits};

/// Makes connected pairs: the connection under test, and its peer.
pub(crate) trait Maker {
    type Peer: Peer;

    /// Makes a connection whose reader has this limit, and its peer.
    async fn pair(&self, limit: usize) -> (StreamReader, StreamWriter, Self::Peer);
}

/// The other end, which the check commands.
pub(crate) trait Peer {
    /// Sends the bytes as a segment of their own, in the background.
    async fn send(&mut self, bytes: &[u8]);
    /// Receives `count` bytes; fewer if the data end or the connection fails.
    async fn receive(&mut self, count: usize) -> Vec<u8>;
    /// Ends the data that it sends, after everything before.
    async fn finish(&mut self);
    /// Keeps sending after the other side's data have ended. TLS would end both directions
    /// otherwise.
    async fn stay(&mut self);
    /// Receives nothing from now on.
    async fn ignore(&mut self);
    /// Resets the connection. A Unix socket resets only when it is closed with unread data:
    /// `writer`, the writer of the other end, may be used to send some.
    async fn reset(&mut self, writer: &StreamWriter);
}

/// A check, for pairs of this maker.
pub(crate) type Check<M> = (&'static str, fn(&M) -> LocalBoxFuture<'_, ()>);

/// The checks of a module, by name.
macro_rules! checks {
    ($($name:ident)*) => {
        pub(super) fn checks<M: super::Maker>() -> Vec<super::Check<M>> {
            vec![$((stringify!($name), |maker| Box::pin($name(maker)))),*]
        }
    };
}
use checks;

/// Returns all checks.
pub(crate) fn battery<M: Maker>() -> Vec<Check<M>> {
    [
        reads::checks(),
        limits::checks(),
        writes::checks(),
        transport::checks(),
        ends::checks(),
        defects::checks(),
    ]
    .concat()
}

const LIMIT: usize = 64 * 1024;

/// Polls a future until it waits, then drops it.
async fn cancelled<T>(future: impl Future<Output = T>) {
    waits(std::pin::pin!(future)).await;
}

/// Writes until the peer and everything in between take no more. Returns the number of bytes.
async fn stuff(writer: &StreamWriter) -> usize {
    let transport = writer.transport();
    let mut written = 0;
    loop {
        let piece = vec![b'.'; 1 << 20];
        writer.write(&piece).unwrap();
        written += piece.len();
        let mut still = 0;
        let mut before = transport.get_write_buffer_size();
        while before > 0 && still < 20 {
            pause().await;
            let now = transport.get_write_buffer_size();
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
        if before > 0 {
            return written;
        }
    }
}

/// Returns true if the code says that the connection was lost. Which code it is depends on the
/// call that finds out.
fn is_lost(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken | ErrorCode::ConnectionAborted
    )
}

fn read_lost<T: std::fmt::Debug>(result: Result<T, ReadError>) {
    match result {
        Err(ReadError::Connection(code)) if is_lost(&code) => {}
        other => panic!("not lost: {other:?}"),
    }
}

fn write_lost<T: std::fmt::Debug>(result: Result<T, WriteError>) {
    match result {
        Err(WriteError::Connection(code)) if is_lost(&code) => {}
        other => panic!("not lost: {other:?}"),
    }
}

/// Returns the bytes of a read to the end that met a lost connection.
fn truncated<T: std::fmt::Debug>(result: Result<T, ReadError>) -> Vec<u8> {
    match result {
        Err(ReadError::Truncated { partial, code }) if is_lost(&code) => partial.to_vec(),
        other => panic!("not truncated: {other:?}"),
    }
}

fn incomplete(result: Result<impl std::fmt::Debug, ReadError>) -> (Vec<u8>, Option<usize>) {
    match result {
        Err(ReadError::Incomplete { partial, expected }) => (partial.to_vec(), expected),
        other => panic!("not incomplete: {other:?}"),
    }
}

/// Converts lines to text: the library's lines and a component's differ in type.
fn lines<L: AsRef<[u8]>>(result: Result<Vec<L>, ReadError>) -> Vec<String> {
    let text = |line: &L| String::from_utf8_lossy(line.as_ref()).into_owned();
    result.unwrap().iter().map(text).collect()
}

fn overrun(result: Result<impl std::fmt::Debug, ReadError>) -> (usize, bool) {
    match result {
        Err(ReadError::LimitOverrun { consumed, found }) => (consumed, found),
        other => panic!("no overrun: {other:?}"),
    }
}

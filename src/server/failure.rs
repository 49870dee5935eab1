//! Failures of a server that no caller waits for.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use wasi::clocks::monotonic_clock;

use crate::address::Address;
use crate::error::{ErrorCode, TlsError};
use crate::program::report;

/// A failure of a server that no caller waits for; see
/// [`ServerOptions::on_failure`](crate::ServerOptions::on_failure).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFailure {
    /// The host cannot accept connections: it is out of descriptors or memory. Accepting
    /// pauses for 1 s at a time. Reported once, until a connection is accepted again.
    #[error("accept failed ({0}); accepting pauses for 1 s at a time")]
    Accept(ErrorCode),
    /// A TLS handshake failed; its connection is closed.
    #[error("TLS handshake{}: {error}", WithPeer(.peer))]
    Handshake {
        /// The peer.
        peer: Option<Address>,
        /// The error of the handshake.
        error: TlsError,
    },
    /// The callback failed. Its connection is closed.
    #[error("unhandled error in client_connected{}: {message}", ForPeer(.peer))]
    Callback {
        /// The peer of the connection.
        peer: Option<Address>,
        /// The text of the callback's error.
        message: String,
    },
}

struct WithPeer<'a>(&'a Option<Address>);

impl fmt::Display for WithPeer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, " with {peer}"),
            None => Ok(()),
        }
    }
}

struct ForPeer<'a>(&'a Option<Address>);

impl fmt::Display for ForPeer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, " for {peer}"),
            None => Ok(()),
        }
    }
}

/// The receiver of failures: the program's own, or standard error.
#[derive(Clone, Default)]
pub(super) struct Observer(pub(super) Option<OnFailure>);

type OnFailure = Rc<dyn Fn(&ServerFailure)>;

impl Observer {
    pub(super) fn report(&self, failure: &ServerFailure) {
        match &self.0 {
            Some(observer) => observer(failure),
            None => STDERR_REPORTS.with(|limiter| limiter.report(failure)),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "the program's own",
            None => "standard error",
        })
    }
}

/// The most lines a second on standard error: a peer can make a callback fail as often as
/// it likes.
const LINES: u32 = 10;
const SECOND: u64 = 1_000_000_000;

thread_local! {
    static STDERR_REPORTS: ReportLimiter = const { ReportLimiter::new() };
}

/// Limits the reports on standard error to [`LINES`] in each second.
struct ReportLimiter {
    since: Cell<Option<u64>>,
    lines: Cell<u32>,
    omitted: Cell<u32>,
}

impl ReportLimiter {
    const fn new() -> ReportLimiter {
        ReportLimiter {
            since: Cell::new(None),
            lines: Cell::new(0),
            omitted: Cell::new(0),
        }
    }

    fn report(&self, failure: &ServerFailure) {
        let (omitted, told) = self.admit(monotonic_clock::now());
        if omitted > 0 {
            report(&format!("{omitted} more failures were not shown"));
        }
        if told {
            report(&failure.to_string());
        }
    }

    /// Counts a line at the time `now`. Returns the number of lines that were left out before
    /// this second, and true if this line may be written.
    fn admit(&self, now: u64) -> (u32, bool) {
        let fresh = self
            .since
            .get()
            .is_none_or(|since| now.saturating_sub(since) >= SECOND);
        let omitted = match fresh {
            true => {
                self.since.set(Some(now));
                self.lines.set(0);
                self.omitted.take()
            }
            false => 0,
        };
        let told = self.lines.get() < LINES;
        let count = if told { &self.lines } else { &self.omitted };
        count.set(count.get().saturating_add(1));
        (omitted, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_is_ten_lines_a_second_and_a_count() {
        let limiter = ReportLimiter::new();
        let shown = (0..100).filter(|_| limiter.admit(5).1).count();
        assert_eq!(shown, 10);
        assert_eq!(limiter.admit(4 + SECOND), (0, false));
        assert_eq!(limiter.admit(5 + SECOND), (91, true));
        assert_eq!(limiter.admit(6 + SECOND), (0, true));
    }
}

//! What goes wrong in a server and has no caller to be returned to.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use wasi::clocks::monotonic_clock;

use crate::address::Address;
use crate::error::{ErrorCode, TlsError};

/// Something that went wrong in a server while nobody was waiting for it; see
/// [`ServerOptions::on_failure`](crate::ServerOptions::on_failure).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFailure {
    /// Connections cannot be accepted, for want of descriptors or memory.
    /// Accepting pauses for 1 s at a time; this is said once, until one is
    /// accepted again.
    #[error("accept failed ({0}); accepting pauses for 1 s at a time")]
    Accept(ErrorCode),
    /// A connection was given up because its TLS handshake failed.
    #[error("TLS handshake{}: {error}", With(.peer))]
    Handshake {
        /// The peer.
        peer: Option<Address>,
        /// How it failed.
        error: TlsError,
    },
    /// The callback failed. Its connection is closed.
    #[error("unhandled error in client_connected{}: {message}", From(.peer))]
    Callback {
        /// The peer of the connection.
        peer: Option<Address>,
        /// What the callback said.
        message: String,
    },
}

struct With<'a>(&'a Option<Address>);

impl fmt::Display for With<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, " with {peer}"),
            None => Ok(()),
        }
    }
}

struct From<'a>(&'a Option<Address>);

impl fmt::Display for From<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(peer) => write!(f, " for {peer}"),
            None => Ok(()),
        }
    }
}

/// Who is told of failures: standard error, unless the program has somebody.
#[derive(Clone, Default)]
pub(super) struct Observer(pub(super) Option<Told>);

type Told = Rc<dyn Fn(&ServerFailure)>;

impl Observer {
    pub(super) fn tell(&self, failure: &ServerFailure) {
        match &self.0 {
            Some(observer) => observer(failure),
            None => LATELY.with(|lately| lately.tell(failure)),
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

/// Lines a second on standard error: peers can make a callback fail as often as
/// they like.
const LINES: u32 = 10;
const SECOND: u64 = 1_000_000_000;

thread_local! {
    static LATELY: Lately = const { Lately::new() };
}

/// What was written to standard error within a second.
struct Lately {
    since: Cell<Option<u64>>,
    lines: Cell<u32>,
    omitted: Cell<u32>,
}

impl Lately {
    const fn new() -> Lately {
        Lately {
            since: Cell::new(None),
            lines: Cell::new(0),
            omitted: Cell::new(0),
        }
    }

    fn tell(&self, failure: &ServerFailure) {
        let (omitted, told) = self.admit(monotonic_clock::now());
        if omitted > 0 {
            crate::report(&format!("{omitted} more failures were not shown"));
        }
        if told {
            crate::report(&failure.to_string());
        }
    }

    /// How many lines were left out in the seconds before, and whether this one
    /// may be written.
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
        let lately = Lately::new();
        let shown = (0..100).filter(|_| lately.admit(5).1).count();
        assert_eq!(shown, 10);
        assert_eq!(lately.admit(4 + SECOND), (0, false));
        assert_eq!(lately.admit(5 + SECOND), (91, true));
        assert_eq!(lately.admit(6 + SECOND), (0, true));
    }
}

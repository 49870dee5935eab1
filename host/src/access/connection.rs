//! The connections of a guest, as the observer sees them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{ListenAddress, Observer};
use crate::policy::PolicyRule;

/// A connection of a guest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Connection {
    /// The number of the connection, which no other one of this process has.
    pub id: u64,
    /// The end that made the connection.
    pub direction: Direction,
    /// The address of the peer. `None` for the peer of a Unix listener, which has none.
    pub peer: Option<ListenAddress>,
    /// The address of the listener that accepted the connection. `None` for a connection that
    /// the guest has made, and for a listener without an address.
    pub listener: Option<ListenAddress>,
    /// The rule that allowed it. `None` where none was needed: on an inherited listener, or
    /// in a dry run.
    pub rule: Option<PolicyRule>,
}

/// The end of the two that made a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer: the guest has accepted the connection.
    In,
    /// The guest.
    Out,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionEnd {
    /// Bytes received from the kernel: with TLS, those of the session.
    pub received: u64,
    /// Bytes that the kernel has taken: with TLS, those of the session.
    pub sent: u64,
    /// The time since the connection was open.
    pub duration: Duration,
    /// The reason of the end.
    pub reason: EndReason,
}

/// The reason why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The guest ended its data, and then dropped the connection.
    Ended,
    /// The guest dropped the connection without ending its data.
    Dropped,
    /// The guest reset the connection.
    Reset,
    /// The host cut the connection, because the guest did not end in time or trapped.
    Cut,
    /// The connection failed, such as by a reset of the peer.
    Failed(io::ErrorKind),
    /// The guest has used up its quota of bytes.
    Quota,
}

impl Direction {
    /// Returns `in` or `out`, for logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl EndReason {
    /// Returns a stable label, for logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Dropped => "dropped",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Failed(_) => "failed",
            Self::Quota => "quota",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(kind) => write!(f, "failed: {kind}"),
            other => f.write_str(other.label()),
        }
    }
}

/// The bytes of a connection, and its first error. Counted for each connection: the
/// cost is that of two words, since only the thread that runs the guest writes them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    /// The number of the kernel's error, 0, or [`OVER_QUOTA`].
    errno: AtomicI32,
}

/// The guest had no byte left of its quota.
const OVER_QUOTA: i32 = -1;

impl Traffic {
    pub(crate) fn received(&self, bytes: usize) {
        add(&self.received, bytes);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.sent, bytes);
    }

    /// Notes an error, after which the connection does not go on.
    pub(crate) fn failed(&self, error: &io::Error) {
        self.ended_by(error.raw_os_error().unwrap_or_default());
    }

    /// Notes that the guest has used up its bytes.
    pub(crate) fn over_quota(&self) {
        self.ended_by(OVER_QUOTA);
    }

    fn ended_by(&self, errno: i32) {
        let _ = (self.errno).compare_exchange(0, errno, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn failure(&self) -> Option<EndReason> {
        match self.errno.load(Ordering::Relaxed) {
            0 => None,
            OVER_QUOTA => Some(EndReason::Quota),
            errno => Some(EndReason::Failed(
                io::Error::from_raw_os_error(errno).kind(),
            )),
        }
    }
}

/// Adds by a load and a store, which cost less than an atomic addition. The halves of a
/// connection are driven by one thread.
fn add(counter: &AtomicU64, bytes: usize) {
    let sum = (counter.load(Ordering::Relaxed)).wrapping_add(bytes as u64);
    counter.store(sum, Ordering::Relaxed);
}

/// A connection whose end the observer wants to see.
pub(crate) struct WatchedConnection {
    observer: Arc<dyn Observer>,
    connection: Connection,
    opened: Instant,
}

impl WatchedConnection {
    /// Tells the observer that the connection is open.
    pub(super) fn open(observer: &Arc<dyn Observer>, connection: Connection) -> Self {
        observer.connection_opened(&connection);
        Self {
            observer: Arc::clone(observer),
            connection,
            opened: Instant::now(),
        }
    }

    /// Tells the observer that it is closed. `reason` counts unless the connection had failed
    /// before.
    pub(super) fn close(&self, traffic: &Traffic, reason: EndReason) {
        let reason = match (reason, traffic.failure()) {
            (EndReason::Ended | EndReason::Dropped, Some(failure)) => failure,
            (reason, _) => reason,
        };
        let end = ConnectionEnd {
            received: traffic.received.load(Ordering::Relaxed),
            sent: traffic.sent.load(Ordering::Relaxed),
            duration: self.opened.elapsed(),
            reason,
        };
        self.observer.connection_closed(&self.connection, &end);
    }
}

impl fmt::Debug for WatchedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

/// Returns the number of the next connection.
pub(super) fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

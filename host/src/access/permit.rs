use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::budget::Charge;
use super::load::CountedConnection;
use super::statistics::Stats;

/// A permit for one open socket, counted against `Limits::sockets`.
///
/// The guest's handle shares it with the streams that outlive the handle. Dropping the
/// last share frees it, even if the socket has failed or was reset before.
#[derive(Debug)]
pub(crate) struct SocketPermit {
    stats: Stats,
    listens: AtomicBool,
    /// The connection's part in the load of the listener that accepted it.
    accepted: OnceLock<CountedConnection>,
    /// The kernel's memory for a pair, shared by both ends: it keeps what one end has sent
    /// until the other one is closed.
    pair: OnceLock<Arc<Charge>>,
    /// The last transfer, if the connection may be closed when it is idle.
    activity: OnceLock<Activity>,
    /// The socket was taken from the guest, which still holds it. It does not count.
    revoked: AtomicBool,
}

/// The time of the last transfer, in nanoseconds from the start on.
#[derive(Debug)]
struct Activity {
    start: Instant,
    last: AtomicU64,
}

impl SocketPermit {
    pub(super) fn take(stats: Stats) -> SocketPermit {
        stats.socket_opened();
        SocketPermit {
            stats,
            listens: AtomicBool::new(false),
            accepted: OnceLock::new(),
            pair: OnceLock::new(),
            activity: OnceLock::new(),
            revoked: AtomicBool::new(false),
        }
    }

    /// Counts the socket as a listener from now on.
    pub(crate) fn listens(&self) {
        if !self.listens.swap(true, Ordering::Relaxed) {
            self.stats.listener_opened();
        }
    }

    /// Has the connection count as long as the permit.
    pub(crate) fn counts(&self, connection: CountedConnection) {
        let _ = self.accepted.set(connection);
    }

    /// Makes the socket an end of a pair, whose memory was charged.
    pub(crate) fn pairs(&self, charge: Arc<Charge>) {
        let _ = self.pair.set(charge);
    }

    /// Returns true if the socket is an end of a pair.
    pub(crate) fn is_of_pair(&self) -> bool {
        self.pair.get().is_some()
    }

    /// Notes from now on when bytes were transferred.
    pub(crate) fn tracks_activity(&self) {
        let _ = self.activity.set(Activity {
            start: Instant::now(),
            last: AtomicU64::new(0),
        });
    }

    /// Notes that bytes were transferred.
    pub(crate) fn is_used(&self) {
        if let Some(activity) = self.activity.get() {
            activity.last.store(activity.now(), Ordering::Relaxed);
        }
    }

    /// Returns the time since the last transfer, if it is noted and the socket counts.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        let activity = self.activity.get()?;
        let last = activity.last.load(Ordering::Relaxed);
        let idle = Duration::from_nanos(activity.now().saturating_sub(last));
        (!self.revoked.load(Ordering::Relaxed)).then_some(idle)
    }

    /// Counts the socket no more, though the guest still holds it.
    pub(crate) fn revoke(&self) {
        if !self.revoked.swap(true, Ordering::Relaxed) {
            self.stats.socket_revoked();
        }
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Activity {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        if *self.listens.get_mut() {
            self.stats.listener_closed();
        }
        match *self.revoked.get_mut() {
            true => self.stats.revoked_closed(),
            false => self.stats.socket_closed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_free_once_its_last_share_is_dropped() {
        let stats = Stats::new();
        let handle = Arc::new(SocketPermit::take(stats.clone()));
        let stream = Arc::clone(&handle);
        drop(handle);
        assert_eq!(stats.snapshot().sockets_open, 1);
        drop(stream);
        assert_eq!(stats.snapshot().sockets_open, 0);
        assert_eq!(stats.snapshot().sockets_opened_total, 1);
    }

    #[test]
    fn a_revoked_permit_is_free_at_once() {
        let stats = Stats::new();
        let permit = SocketPermit::take(stats.clone());
        assert_eq!(permit.idle_for(), None);
        permit.tracks_activity();
        assert!(permit.idle_for().is_some());
        permit.revoke();
        permit.revoke();
        assert_eq!((stats.snapshot().sockets_open, stats.revoked()), (0, 1));
        assert_eq!(permit.idle_for(), None);
        drop(permit);
        assert_eq!((stats.snapshot().sockets_open, stats.revoked()), (0, 0));
    }

    #[test]
    fn a_listener_is_counted_once_and_as_long_as_its_socket() {
        let stats = Stats::new();
        let permit = SocketPermit::take(stats.clone());
        permit.listens();
        permit.listens();
        let now = stats.snapshot();
        assert_eq!((now.sockets_open, now.listeners_open), (1, 1));
        drop(permit);
        let now = stats.snapshot();
        assert_eq!((now.sockets_open, now.listeners_open), (0, 0));
    }
}

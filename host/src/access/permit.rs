use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::budget::Charge;
use super::connection::{EndReason, Traffic, WatchedConnection};
use super::guard::{ConnectionSlot, SharedBytes};
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
    /// The connection's part in the quotas of its guest.
    slot: OnceLock<ConnectionSlot>,
    traffic: Traffic,
    watched: OnceLock<WatchedConnection>,
    /// The observer was told that the connection is closed.
    told: AtomicBool,
    /// The guest's quotas of bytes, if it has any.
    bytes: OnceLock<SharedBytes>,
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
            slot: OnceLock::new(),
            traffic: Traffic::default(),
            watched: OnceLock::new(),
            told: AtomicBool::new(false),
            bytes: OnceLock::new(),
        }
    }

    /// Has the bytes of the connection count for the guest's quotas.
    pub(super) fn pays(&self, bytes: SharedBytes) {
        let _ = self.bytes.set(bytes);
    }

    /// Has the connection count for the quotas as long as the permit.
    pub(crate) fn occupies(&self, slot: ConnectionSlot) {
        let _ = self.slot.set(slot);
    }

    /// Has the end of the connection told to the observer.
    pub(super) fn watch(&self, connection: WatchedConnection) {
        let _ = self.watched.set(connection);
    }

    /// Tells the observer that the connection is closed. Only the first call counts.
    pub(crate) fn closed(&self, reason: EndReason) {
        if let Some(connection) = self.watched.get()
            && !self.told.swap(true, Ordering::Relaxed)
        {
            connection.close(&self.traffic, reason);
        }
    }

    /// The bytes of the connection.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The guest's quotas of bytes, if it has any.
    pub(crate) fn bytes(&self) -> Option<&SharedBytes> {
        self.bytes.get()
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
        // A connection that the guest has never got.
        self.closed(EndReason::Dropped);
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
    use std::io;
    use std::sync::Mutex;

    use super::super::{Connection, ConnectionEnd, Direction, Observer};
    use super::*;
    use crate::lock::lock;

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

    #[derive(Default)]
    struct Events(Mutex<Vec<String>>);

    impl Observer for Events {
        fn connection_closed(&self, connection: &Connection, end: &ConnectionEnd) {
            let (id, reason) = (connection.id, end.reason);
            lock(&self.0).push(format!("{id} {reason} {} {}", end.received, end.sent));
        }
    }

    fn watched(events: &Arc<Events>, id: u64) -> SocketPermit {
        let permit = SocketPermit::take(Stats::new());
        let connection = Connection {
            id,
            direction: Direction::In,
            peer: None,
            listener: None,
            rule: None,
        };
        let observer: Arc<dyn Observer> = Arc::clone(events) as _;
        permit.watch(WatchedConnection::open(&observer, connection));
        permit
    }

    #[test]
    fn the_end_of_a_connection_is_told_once_with_its_bytes_and_its_first_failure() {
        let events = Arc::default();
        let ended = watched(&events, 1);
        ended.traffic().received(3);
        ended.traffic().sent(4);
        ended.closed(EndReason::Ended);
        ended.closed(EndReason::Dropped);
        drop(ended);
        let failed = watched(&events, 2);
        let reset = io::Error::from(rustix::io::Errno::CONNRESET);
        failed.traffic().failed(&reset);
        failed.traffic().failed(&rustix::io::Errno::PIPE.into());
        failed.closed(EndReason::Dropped);
        let cut = watched(&events, 3);
        cut.traffic().failed(&reset);
        cut.closed(EndReason::Cut);
        // The guest has never got it, so that there is no socket.
        drop(watched(&events, 4));
        assert_eq!(
            *lock(&events.0),
            [
                "1 ended 3 4",
                "2 failed: connection reset 0 0",
                "3 cut 0 0",
                "4 dropped 0 0"
            ]
        );
    }
}

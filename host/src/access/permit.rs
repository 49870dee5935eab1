use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
}

impl SocketPermit {
    pub(super) fn take(stats: Stats) -> SocketPermit {
        stats.socket_opened();
        SocketPermit {
            stats,
            listens: AtomicBool::new(false),
            accepted: OnceLock::new(),
            pair: OnceLock::new(),
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

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        if *self.listens.get_mut() {
            self.stats.listener_closed();
        }
        self.stats.socket_closed();
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

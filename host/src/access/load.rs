//! The distribution of a shared listener's connections among its guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of connections that a guest may have beyond its share. Short connections come
/// and go too fast to spread them evenly, and waiting for that would cost more than it gives.
const SLACK: usize = 8;

/// The open connections of one listening socket, over all guests that listen on it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    open: AtomicUsize,
    guests: AtomicUsize,
}

/// One guest's part in the load of a listening socket.
///
/// The counters are atomic and independent: a guest that reads them while others accept sees
/// the distribution of a moment ago, which is good enough to choose who goes first.
#[derive(Debug)]
pub(crate) struct LoadShare {
    load: Arc<Load>,
    own: Arc<AtomicUsize>,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct CountedConnection {
    load: Arc<Load>,
    own: Arc<AtomicUsize>,
}

impl LoadShare {
    /// Joins one more guest.
    pub(crate) fn join(load: &Arc<Load>) -> Self {
        load.guests.fetch_add(1, Ordering::Relaxed);
        Self {
            load: Arc::clone(load),
            own: Arc::default(),
        }
    }

    /// Counts a connection that this guest has accepted.
    pub(crate) fn count(&self) -> CountedConnection {
        self.load.open.fetch_add(1, Ordering::Relaxed);
        self.own.fetch_add(1, Ordering::Relaxed);
        CountedConnection {
            load: Arc::clone(&self.load),
            own: Arc::clone(&self.own),
        }
    }

    /// Returns true if the guest has so many of the open connections that the others should
    /// accept first: a quarter more than the mean, and [`SLACK`].
    pub(crate) fn is_above(&self) -> bool {
        let own = self.own.load(Ordering::Relaxed).saturating_sub(SLACK);
        let guests = self.load.guests.load(Ordering::Relaxed);
        let open = self.load.open.load(Ordering::Relaxed);
        own.saturating_mul(guests).saturating_mul(4) > open.saturating_mul(5)
    }
}

impl Drop for LoadShare {
    fn drop(&mut self) {
        self.load.guests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.load.open.fetch_sub(1, Ordering::Relaxed);
        self.own.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_with_more_than_its_share_lets_others_accept_first() {
        let load = Arc::default();
        let (one, other) = (LoadShare::join(&load), LoadShare::join(&load));
        let held: Vec<_> = (0..40).map(|_| one.count()).collect();
        assert!(one.is_above());
        assert!(!other.is_above());
        let others: Vec<_> = (0..40).map(|_| other.count()).collect();
        assert!(!one.is_above());
        drop(others);
        assert!(one.is_above());
        drop(held);
        assert!(!one.is_above());
    }

    #[test]
    fn a_guest_alone_is_never_above_its_share() {
        let load = Arc::default();
        let only = LoadShare::join(&load);
        drop(LoadShare::join(&load));
        let held: Vec<_> = (0..100).map(|_| only.count()).collect();
        assert!(!only.is_above(), "{}", held.len());
    }
}

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::stream::{Listens, StreamSocket};

/// Asks a guest to stop, from any thread; clones ask the same guest.
///
/// What a server does with it: its listeners are closed at once, so that new
/// connections are refused, and so is each that it makes afterwards. Their
/// streams of connections end, which the guest's server takes as being closed:
/// `serve_forever` returns, and the program comes to its end in its own way. LiveSockets
/// that the host has [inherited](crate::InheritedListener) to it refuse nobody: connections
/// wait there for whoever listens next.
///
/// A [`Runner`](crate::Runner) gives it a time for that. A host of its own kind
/// takes the handle of its [`StreamsCtx`](crate::StreamsCtx) and decides itself when to drop
/// the store, after [`reset_unfinished`](Self::reset_unfinished).
#[derive(Clone)]
pub struct StopHandle(Arc<Inner>);

struct Inner {
    stopping: watch::Sender<bool>,
    served: Arc<AtomicBool>,
    sockets: Mutex<LiveSockets>,
}

/// What there is to be stopped.
#[derive(Default)]
struct LiveSockets {
    listeners: LiveList<dyn Listens>,
    connections: LiveList<StreamSocket>,
    resetting: bool,
}

impl StopHandle {
    /// `served` is of all guests that share their listeners.
    pub(crate) fn new(served: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Inner {
            stopping: watch::Sender::new(false),
            served,
            sockets: Mutex::default(),
        }))
    }

    /// Asks the guest to stop. A second call does nothing.
    pub fn stop(&self) {
        let sockets = self.sockets();
        self.0.stopping.send_replace(true);
        sockets.listeners.each(Listens::close);
    }

    /// Whether the guest was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Waits until the guest is asked to stop. Cancel-safe.
    pub async fn stopping(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.0.stopping.subscribe().wait_for(|stop| *stop).await;
    }

    /// Whether the guest is a server: it listens or has done so, or another one
    /// has that it shares its listeners with.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.0.served.load(Ordering::Relaxed)
    }

    /// Has the connections that the guest has not ended reset when they are
    /// dropped, so that a peer can tell what was cut from what is complete. To be
    /// called before a store is dropped, or the process ends, whose guest is not
    /// done.
    ///
    /// A connection is ended when the stream that the guest sends from has ended:
    /// what was sent on it arrives. Unix sockets have no reset: their peers see an end,
    /// and an error only where they have sent what the guest has not received.
    pub fn reset_unfinished(&self) {
        let mut sockets = self.sockets();
        sockets.resetting = true;
        sockets.connections.each(StreamSocket::cut);
    }

    /// The guest listens; if it was asked to stop, no longer.
    pub(crate) fn listens(&self, listener: Arc<dyn Listens>) {
        let mut sockets = self.sockets();
        if self.is_stopping() {
            return listener.close();
        }
        self.0.served.store(true, Ordering::Relaxed);
        sockets.listeners.add(&listener);
    }

    /// The guest has a connection.
    pub(crate) fn connected(&self, connection: &Arc<StreamSocket>) {
        let mut sockets = self.sockets();
        if sockets.resetting {
            return connection.cut();
        }
        sockets.connections.add(connection);
    }

    /// Waits until the guest has had its time: `grace` after it was asked to
    /// stop, or none if it is no server.
    pub(crate) async fn overdue(&self, grace: Duration) {
        self.stopping().await;
        if self.has_served() {
            tokio::time::sleep(grace).await;
        }
    }

    /// No code panics while it holds this lock.
    fn sockets(&self) -> MutexGuard<'_, LiveSockets> {
        let sockets = self.0.sockets.lock();
        sockets.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("is_stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}

/// References to those that are not dropped yet, and to no more dropped ones than
/// that.
struct LiveList<T: ?Sized> {
    all: Vec<Weak<T>>,
    /// The length at which it is swept.
    full: usize,
}

impl<T: ?Sized> LiveList<T> {
    fn add(&mut self, one: &Arc<T>) {
        if self.all.len() >= self.full {
            self.all.retain(|one| one.strong_count() > 0);
            self.full = (2 * self.all.len()).max(16);
        }
        self.all.push(Arc::downgrade(one));
    }

    fn each(&self, act: impl Fn(&T)) {
        for one in self.all.iter().filter_map(Weak::upgrade) {
            act(&one);
        }
    }
}

impl<T: ?Sized> Default for LiveList<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            full: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dropped_are_forgotten_in_time() {
        let mut living = LiveList::default();
        let kept: Vec<Arc<u32>> = (0..10).map(Arc::new).collect();
        kept.iter().for_each(|one| living.add(one));
        for n in 0..10_000 {
            living.add(&Arc::new(n));
        }
        assert!(living.all.len() <= 32, "{}", living.all.len());
        let seen = std::cell::Cell::new(0);
        living.each(|one| seen.set(seen.get() + *one));
        assert_eq!(seen.get(), 45);
    }
}

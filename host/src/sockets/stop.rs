use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::lock::lock;

/// Asks a guest to stop, from any thread; clones ask the same guest.
///
/// A stop closes the guest's listeners at once, and each that it opens later, so that
/// the kernel refuses new connections. The streams of connections end. The guest's
/// server takes that as being closed: `serve_forever` returns, and the program ends in
/// its own way. An [inherited listener](crate::InheritedListener) refuses no connection:
/// it keeps them for the next listener.
///
/// A [`Runner`](crate::Runner) gives the guest time for that. An embedder with a store
/// of its own takes the handle of its [`StreamsCtx`](crate::StreamsCtx), and drops the
/// store when it sees fit, after [`reset_unfinished`](Self::reset_unfinished).
#[derive(Clone)]
pub struct StopHandle(Arc<Inner>);

struct Inner {
    stopping: watch::Sender<bool>,
    served: Arc<AtomicBool>,
    sockets: Mutex<LiveSockets>,
}

/// A listener that a stop closes.
pub(crate) trait StopListening: Send + Sync {
    /// Closes the listener, from any thread and also while the guest computes. The
    /// kernel resets connections in its queue, unless another guest listens on it.
    fn close(&self);
}

/// A connected socket that is reset if the guest has not ended it.
pub(crate) trait CutShort: Send + Sync {
    /// Has the socket reset when it is closed, unless the guest has ended it.
    fn cut(&self);

    /// Returns the time since the last transfer, if the host may close the socket for it.
    fn idle_for(&self) -> Option<Duration>;

    /// Closes the socket for its peer at once, and counts it no more.
    fn revoke(&self);
}

/// The guest's sockets that are not dropped yet.
#[derive(Default)]
struct LiveSockets {
    listeners: LiveList<dyn StopListening>,
    connected: LiveList<dyn CutShort>,
    /// Sockets that are connected from now on are cut at once.
    resetting: bool,
}

impl StopHandle {
    /// Makes a handle. `served` is common to all guests that share their listeners.
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
        sockets.listeners.each(StopListening::close);
    }

    /// Returns whether the guest was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Waits until the guest is asked to stop. Cancel-safe.
    pub async fn stopping(&self) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self.0.stopping.subscribe().wait_for(|stop| *stop).await;
    }

    /// Returns whether the guest is a server: it has listened, or another guest that
    /// shares its listeners has.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.0.served.load(Ordering::Relaxed)
    }

    /// Has connections that the guest has not ended reset when they are dropped, so that
    /// a peer can tell that its data was cut short. Call this before dropping the store
    /// of an unfinished guest, or before ending the process.
    ///
    /// A guest ends a connection by ending the stream that it sends from; then all sent
    /// bytes arrive. Unix sockets have no reset: their peers see an end, or an error
    /// where they have sent bytes that the guest has not received.
    pub fn reset_unfinished(&self) {
        let mut sockets = self.sockets();
        sockets.resetting = true;
        sockets.connected.each(CutShort::cut);
    }

    /// Registers a listener, or closes it if the guest was asked to stop.
    pub(crate) fn listens(&self, listener: Arc<dyn StopListening>) {
        let mut sockets = self.sockets();
        if self.is_stopping() {
            return listener.close();
        }
        self.0.served.store(true, Ordering::Relaxed);
        sockets.listeners.add(&listener);
    }

    /// Registers a connected socket, or cuts it if the guest is being dropped.
    pub(crate) fn connected(&self, socket: Arc<dyn CutShort>) {
        let mut sockets = self.sockets();
        if sockets.resetting {
            return socket.cut();
        }
        sockets.connected.add(&socket);
    }

    /// Closes the accepted connection that has been idle for longest, if it has been for this
    /// time.
    pub(crate) fn close_idle(&self, time: Duration) {
        let oldest = self.sockets().connected.most(|socket| socket.idle_for());
        if let Some((idle, socket)) = oldest
            && idle >= time
        {
            tracing::info!("an accepted connection, idle for {idle:?}, is reset for a new one");
            socket.revoke();
        }
    }

    /// Waits until the guest's time is over: `grace` after the request to stop, or at
    /// once if it is not a server.
    pub(crate) async fn overdue(&self, grace: Duration) {
        self.stopping().await;
        if self.has_served() {
            tokio::time::sleep(grace).await;
        }
    }

    fn sockets(&self) -> MutexGuard<'_, LiveSockets> {
        lock(&self.0.sockets)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("is_stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}

/// Weak references; dead ones are swept when the list has doubled.
struct LiveList<T: ?Sized> {
    all: Vec<Weak<T>>,
    /// The length at which the list is swept.
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

    /// Returns the living one with the largest value, if any has one.
    fn most<V: Ord>(&self, value: impl Fn(&T) -> Option<V>) -> Option<(V, Arc<T>)> {
        let living = self.all.iter().filter_map(Weak::upgrade);
        let valued = living.filter_map(|one| Some((value(&one)?, one)));
        valued.max_by(|(one, _), (other, _)| one.cmp(other))
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

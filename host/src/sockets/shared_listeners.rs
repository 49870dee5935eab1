//! Listening sockets that several guests have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::io::Errno;

use super::{tcp, unix};
use crate::ListenAddress;

/// Lets several guests of one process serve one port, or one Unix socket: each
/// [`StreamsCtx`](crate::StreamsCtx) that is [built](crate::StreamsCtxBuilder::shared_listeners) with a
/// clone of this takes part.
///
/// The first guest that binds an address opens the socket, and those that bind the
/// same address have it as well. Each connection goes to one of them: whoever takes
/// it first. With the last guest that has it, the socket is closed. Options, such
/// as the backlog, are those of the socket, and so of all.
///
/// A bind of port 0, or a listen without a bind, shares the port that the system has
/// picked for another guest's, so that guests that do the same have the same ports.
/// The policy of each guest is asked before. A guest that binds an address twice is
/// told that it is in use, as ever, and one that connects from a shared address has a
/// socket of its own.
///
/// This is for guests in one process. Processes share a port by SO_REUSEPORT, where
/// each has a queue of connections of its own, which the system fills evenly, and
/// which is lost with it. Here there is one queue, and a guest that is busy or gone
/// holds up no connection.
#[derive(Clone, Default)]
pub struct SharedListeners(Arc<Registry>);

/// What guests have in common.
#[derive(Default)]
pub(crate) struct Registry {
    pub(super) tcp: Sockets<tcp::BoundTcp>,
    pub(super) unix: Sockets<unix::BoundUnix>,
    guests: AtomicU64,
    /// One of them listens, or has done so.
    served: Arc<AtomicBool>,
}

/// Those of one kind.
pub(crate) type Sockets<B> = Mutex<Vec<Weak<SharedSocket<B>>>>;

/// A socket of the system that is bound.
pub(crate) trait BoundSocket: Send + Sync + 'static {
    type Address: PartialEq + Send + Sync;

    /// Whether it can be listened on again when nobody does any more.
    const REOPENS: bool;

    fn address(&self) -> &Self::Address;

    /// Where those of its kind are.
    fn among(registry: &Registry) -> &Sockets<Self>
    where
        Self: Sized;
}

/// One guest's part in it.
pub(crate) struct Sharing {
    registry: Arc<Registry>,
    guest: u64,
}

/// A socket that guests share.
pub(crate) struct SharedSocket<B: BoundSocket> {
    bound: B,
    requested: B::Address,
    /// Those who have it.
    guests: Mutex<BTreeSet<u64>>,
    /// How many of them listen.
    listening: Mutex<usize>,
    /// It is of no more use.
    over: AtomicBool,
}

/// A guest's hold on a shared socket.
pub(crate) struct Share<B: BoundSocket> {
    socket: Arc<SharedSocket<B>>,
    guest: u64,
}

impl SharedListeners {
    /// Nothing is shared yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For one more guest.
    pub(crate) fn join(&self) -> Sharing {
        Sharing {
            registry: Arc::clone(&self.0),
            guest: self.0.guests.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for SharedListeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registry { tcp, unix, .. } = &*self.0;
        let tcp = living(tcp).map(|socket| ListenAddress::from(*socket.bound.address()));
        let unix = living(unix).map(|socket| socket.bound.address().clone().into());
        let addresses: Vec<ListenAddress> = tcp.chain(unix).collect();
        f.debug_tuple("SharedListeners").field(&addresses).finish()
    }
}

impl Sharing {
    /// Whether one of those that take part listens, or has done so.
    pub(crate) fn served(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.registry.served)
    }

    /// The share of another guest's socket that was bound so; else `bind` makes
    /// one.
    pub(super) fn share<B: BoundSocket, E>(
        &self,
        requested: B::Address,
        bind: impl FnOnce() -> Result<B, E>,
    ) -> Result<Share<B>, E> {
        // Locked all the time, so that no two guests bind at once.
        let mut sockets = lock(B::among(&self.registry));
        let guest = self.guest;
        let living = sockets.iter().filter_map(Weak::upgrade);
        for socket in living.filter(|socket| socket.serves(&requested)) {
            if lock(&socket.guests).insert(guest) {
                return Ok(Share { socket, guest });
            }
        }
        let socket = Arc::new(SharedSocket {
            bound: bind()?,
            requested,
            guests: Mutex::new(BTreeSet::from([guest])),
            listening: Mutex::new(0),
            over: AtomicBool::new(false),
        });
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&socket));
        Ok(Share { socket, guest })
    }
}

impl<B: BoundSocket> Share<B> {
    pub(super) fn socket(&self) -> &Arc<SharedSocket<B>> {
        &self.socket
    }
}

impl<B: BoundSocket> Drop for Share<B> {
    fn drop(&mut self) {
        lock(&self.socket.guests).remove(&self.guest);
    }
}

impl<B: BoundSocket> SharedSocket<B> {
    /// Whether who wishes for this address can have it.
    fn serves(&self, wanted: &B::Address) -> bool {
        let fits = self.requested == *wanted || self.bound.address() == wanted;
        fits && !self.over.load(Ordering::Relaxed)
    }

    pub(super) fn bound(&self) -> &B {
        &self.bound
    }

    /// Has one more guest listen by `listen`; also whether it is the first.
    pub(super) fn begin<T>(&self, listen: impl FnOnce() -> io::Result<T>) -> io::Result<(T, bool)> {
        let mut listening = lock(&self.listening);
        if self.over.load(Ordering::Relaxed) {
            return Err(Errno::NOTCONN.into());
        }
        let listener = listen()?;
        *listening += 1;
        Ok((listener, *listening == 1))
    }

    /// A guest listens no longer. The last one has it closed by `close`.
    pub(super) fn end(&self, close: impl FnOnce()) {
        let mut listening = lock(&self.listening);
        *listening = listening.saturating_sub(1);
        if *listening == 0 {
            self.over.store(!B::REOPENS, Ordering::Relaxed);
            close();
        }
    }
}

fn living<B: BoundSocket>(sockets: &Sockets<B>) -> impl Iterator<Item = Arc<SharedSocket<B>>> {
    let living: Vec<_> = lock(sockets).iter().filter_map(Weak::upgrade).collect();
    living.into_iter()
}

/// No code panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

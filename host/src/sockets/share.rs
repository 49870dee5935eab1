//! Listening sockets that several guests have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Lets several guests of one process serve one port: each [`Ctx`](crate::Ctx)
/// that is [built](crate::CtxBuilder::shared_listeners) with a clone of this takes
/// part.
///
/// The first guest that binds an address opens the socket, and those that bind the
/// same address have it as well. Each connection goes to one of them: whoever takes
/// it first. With the last guest that has it, the socket is closed. Options, such
/// as the backlog, are those of the socket, and so of all.
///
/// A bind of port 0, or a listen without a bind, shares the port that the system has picked for another guest's,
/// so that guests that do the same have the same ports. The policy of each guest
/// is asked before. A guest that binds an address twice is told that it is in use,
/// as ever, and one that connects from a shared address has a socket of its own.
///
/// This is for guests in one process. Processes share a port by SO_REUSEPORT, where
/// each has a queue of connections of its own, which the system fills evenly, and
/// which is lost with it. Here there is one queue, and a guest that is busy or gone
/// holds up no connection.
#[derive(Clone, Default)]
pub struct SharedListeners(Arc<Registry>);

#[derive(Default)]
struct Registry {
    tcp: Sockets<SocketAddr>,
    guests: AtomicU64,
    /// One of them listens, or has done so.
    served: Arc<AtomicBool>,
}

/// Those of one kind.
type Sockets<A> = Mutex<Vec<Weak<SharedSocket<A>>>>;

/// One guest's part in it.
pub(crate) struct Sharing {
    registry: Arc<Registry>,
    guest: u64,
}

/// A socket of the system that is bound.
pub(super) struct SharedSocket<A> {
    fd: OwnedFd,
    requested: A,
    address: A,
    /// Those who have it.
    guests: Mutex<BTreeSet<u64>>,
    /// How many of them listen.
    listening: Mutex<usize>,
}

/// A guest's hold on a shared socket.
pub(super) struct Share<A> {
    socket: Arc<SharedSocket<A>>,
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
        let addresses: Vec<_> = lock(&self.0.tcp)
            .iter()
            .filter_map(Weak::upgrade)
            .map(|socket| socket.address)
            .collect();
        f.debug_tuple("SharedListeners").field(&addresses).finish()
    }
}

impl Sharing {
    /// Whether one of those that take part listens, or has done so.
    pub(crate) fn served(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.registry.served)
    }

    /// The share of another guest's socket that was bound so; else `bind` makes a
    /// socket, and says where it is bound.
    pub(super) fn share<E>(
        &self,
        requested: SocketAddr,
        bind: impl FnOnce() -> Result<(OwnedFd, SocketAddr), E>,
    ) -> Result<Share<SocketAddr>, E> {
        self.share_in(&self.registry.tcp, requested, bind)
    }

    fn share_in<A: PartialEq, E>(
        &self,
        sockets: &Sockets<A>,
        requested: A,
        bind: impl FnOnce() -> Result<(OwnedFd, A), E>,
    ) -> Result<Share<A>, E> {
        // Locked all the time, so that no two guests bind at once.
        let mut sockets = lock(sockets);
        let living = sockets.iter().filter_map(Weak::upgrade);
        for socket in living.filter(|socket| socket.serves(&requested)) {
            if lock(&socket.guests).insert(self.guest) {
                let guest = self.guest;
                return Ok(Share { socket, guest });
            }
        }
        let (fd, address) = bind()?;
        let socket = Arc::new(SharedSocket {
            fd,
            requested,
            address,
            guests: Mutex::new(BTreeSet::from([self.guest])),
            listening: Mutex::new(0),
        });
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&socket));
        let guest = self.guest;
        Ok(Share { socket, guest })
    }
}

impl<A> Share<A> {
    pub(super) fn socket(&self) -> &Arc<SharedSocket<A>> {
        &self.socket
    }
}

impl<A> Drop for Share<A> {
    fn drop(&mut self) {
        lock(&self.socket.guests).remove(&self.guest);
    }
}

impl<A> SharedSocket<A> {
    /// Whether who wishes for this address can have it.
    fn serves(&self, wanted: &A) -> bool
    where
        A: PartialEq,
    {
        self.requested == *wanted || self.address == *wanted
    }

    pub(super) fn address(&self) -> &A {
        &self.address
    }

    /// Another descriptor of it.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// Has one more guest listen by `listen`; also whether it is the first.
    pub(super) fn begin<T, E>(
        &self,
        listen: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, bool), E> {
        let mut listening = lock(&self.listening);
        let listener = listen()?;
        *listening += 1;
        Ok((listener, *listening == 1))
    }

    /// A guest listens no longer. The last one has it closed by `close`.
    pub(super) fn end(&self, close: impl FnOnce()) {
        let mut listening = lock(&self.listening);
        *listening = listening.saturating_sub(1);
        if *listening == 0 {
            close();
        }
    }
}

/// No code panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

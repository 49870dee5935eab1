//! One listening socket for several guests: the first guest that binds an address
//! opens it, and the others get descriptors of it.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rustix::io::Errno;

use crate::access::Load;
use crate::lock::lock;

/// A bound socket that guests can share.
pub(crate) trait BoundSocket: Send + Sync + 'static {
    type Address: PartialEq + Send + Sync;

    /// The socket can be listened on again after its last listener has ended.
    const REOPENS: bool;

    fn address(&self) -> &Self::Address;
}

/// The shared sockets of one kind.
pub(crate) struct Registry<B: BoundSocket>(Mutex<Vec<Weak<SharedSocket<B>>>>);

/// One guest's access to a registry.
pub(crate) struct Sharing<B: BoundSocket> {
    registry: Arc<Registry<B>>,
    guest: u64,
}

/// A socket that guests share.
pub(crate) struct SharedSocket<B: BoundSocket> {
    bound: B,
    /// The address that the first guest asked for: its port may be 0.
    requested: B::Address,
    /// The guests that hold a [`Share`].
    guests: Mutex<BTreeSet<u64>>,
    /// How many guests listen.
    listening: Mutex<usize>,
    /// Nothing can listen on the socket any more.
    ended: AtomicBool,
    /// The open connections of all guests.
    load: Arc<Load>,
}

/// A guest's hold on a shared socket.
pub(crate) struct Share<B: BoundSocket> {
    socket: Arc<SharedSocket<B>>,
    guest: u64,
}

impl<B: BoundSocket> Registry<B> {
    /// The sockets that a guest still holds.
    pub(super) fn living(&self) -> Vec<Arc<SharedSocket<B>>> {
        lock(&self.0).iter().filter_map(Weak::upgrade).collect()
    }
}

impl<B: BoundSocket> Default for Registry<B> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<B: BoundSocket> Sharing<B> {
    pub(super) fn new(registry: Arc<Registry<B>>, guest: u64) -> Self {
        Self { registry, guest }
    }

    /// Joins the socket that another guest has bound to this address, or has `bind`
    /// make one. A guest never joins a socket that it holds already: binding an
    /// address twice fails in the kernel, as it does without sharing.
    pub(super) fn share<E>(
        &self,
        requested: B::Address,
        bind: impl FnOnce() -> Result<B, E>,
    ) -> Result<Share<B>, E> {
        // Held while binding, so that two guests never bind the same address.
        let mut sockets = lock(&self.registry.0);
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
            ended: AtomicBool::new(false),
            load: Arc::default(),
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
    /// A guest that asks for this address can have the socket.
    fn serves(&self, wanted: &B::Address) -> bool {
        let fits = self.requested == *wanted || self.bound.address() == wanted;
        fits && !self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    pub(super) fn bound(&self) -> &B {
        &self.bound
    }

    /// Starts one more guest's listener by `listen`. Also returns whether it is the
    /// first one.
    pub(super) fn begin<T>(&self, listen: impl FnOnce() -> io::Result<T>) -> io::Result<(T, bool)> {
        let mut listening = lock(&self.listening);
        if self.ended.load(Ordering::Relaxed) {
            return Err(Errno::NOTCONN.into());
        }
        let listener = listen()?;
        *listening += 1;
        Ok((listener, *listening == 1))
    }

    /// Ends one guest's listener. The last one closes the socket by `close`.
    pub(super) fn end(&self, close: impl FnOnce()) {
        let mut listening = lock(&self.listening);
        *listening = listening.saturating_sub(1);
        if *listening == 0 {
            self.ended.store(!B::REOPENS, Ordering::Relaxed);
            close();
        }
    }
}

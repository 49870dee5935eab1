use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::shared::{BoundSocket as _, Registry, Sharing};
use super::tcp::BoundTcp;
use super::unix::BoundUnix;
use crate::access::ListenAddress;

/// Lets several guests of one process serve one port, or one Unix socket.
///
/// Each context that is [built](crate::StreamsCtxBuilder::shared_listeners) with a
/// clone of this takes part. The first guest that binds an address opens the socket,
/// and guests that bind the same address get it too. The kernel gives each connection
/// to the guest that accepts first. The socket is closed with the last guest that has
/// it. Options, such as the backlog, belong to the socket and so to all guests.
///
/// A bind of port 0, or a listen without a bind, joins a port that the kernel has
/// picked for another guest: guests that do the same get the same ports. The policy of
/// each guest is asked before. A guest that binds an address twice is told that it is
/// in use, as without sharing. A guest that connects from a shared address gets a
/// socket of its own.
///
/// Processes share a port by SO_REUSEPORT instead. There each process has its own queue
/// of connections, which the kernel fills evenly and which is lost with the process.
/// Here there is one queue, so a guest that is busy or gone delays no connection.
#[derive(Clone, Default)]
pub struct SharedListeners(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tcp: Arc<Registry<BoundTcp>>,
    unix: Arc<Registry<BoundUnix>>,
    /// Numbers the guests that have joined.
    guests: AtomicU64,
    /// Set once a guest listens.
    served: Arc<AtomicBool>,
}

/// One guest's part in the shared listeners.
pub(crate) struct GuestSharing {
    pub(crate) tcp: Sharing<BoundTcp>,
    pub(crate) unix: Sharing<BoundUnix>,
    served: Arc<AtomicBool>,
}

impl SharedListeners {
    /// Shared listeners that no guest has joined yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins one more guest.
    pub(crate) fn join(&self) -> GuestSharing {
        let guest = self.0.guests.fetch_add(1, Ordering::Relaxed);
        GuestSharing {
            tcp: Sharing::new(Arc::clone(&self.0.tcp), guest),
            unix: Sharing::new(Arc::clone(&self.0.unix), guest),
            served: Arc::clone(&self.0.served),
        }
    }
}

impl GuestSharing {
    /// A flag that is set once any of the guests listens.
    pub(crate) fn served(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.served)
    }
}

impl fmt::Debug for SharedListeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tcp, unix) = (self.0.tcp.living(), self.0.unix.living());
        let tcp = tcp
            .iter()
            .map(|socket| ListenAddress::from(*socket.bound().address()));
        let unix = unix
            .iter()
            .map(|socket| socket.bound().address().clone().into());
        let addresses: Vec<ListenAddress> = tcp.chain(unix).collect();
        f.debug_tuple("SharedListeners").field(&addresses).finish()
    }
}

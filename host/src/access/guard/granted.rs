//! Proofs of what the guard has allowed.

use std::net::SocketAddr;

use crate::policy::UnixName;

/// The guard's proof that the guest may do `T`, such as [`Connect`] to an address.
///
/// The sockets demand a proof to bind, to connect and to listen, so that code which
/// forgets to ask the guard does not compile. Only the guard can make one: the
/// field is private, and [`new`](Self::new) is visible in the guard's module alone.
#[derive(Debug)]
pub(crate) struct Granted<T>(T);

impl<T> Granted<T> {
    pub(super) fn new(allowed: T) -> Self {
        Self(allowed)
    }

    /// The action that the guard has allowed.
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

/// Connecting to an address, or to the name of a Unix socket.
#[derive(Debug)]
pub(crate) struct Connect<A>(pub(crate) A);

/// Binding a TCP socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindTcp {
    /// The address to bind.
    pub(crate) address: SocketAddr,
    /// The address as the policy sees it: see
    /// [`StreamsCtx::policy_address`](crate::StreamsCtx::policy_address).
    pub(crate) policy_address: SocketAddr,
    /// The owner of the port before the bind.
    pub(crate) owner: PortOwner,
    /// The guest has set SO_REUSEPORT.
    pub(crate) reuse_port: bool,
}

/// The owner of a port before a socket is bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortOwner {
    /// This guest: one of its sockets has the very address.
    ThisGuest,
    /// The kernel: it picks a free port, or has picked it for this guest before.
    Kernel,
    /// Any process that shares the port by SO_REUSEPORT.
    AnyProcess,
}

/// Listening on a TCP address. A socket that is not bound yet is bound to it first.
#[derive(Debug)]
pub(crate) struct ListenTcp(pub(crate) SocketAddr);

/// Binding a Unix socket and listening on it.
#[derive(Debug)]
pub(crate) struct BindUnix {
    /// The path or the abstract name.
    pub(crate) name: UnixName,
    /// The mode of the socket's file.
    pub(crate) mode: u32,
}

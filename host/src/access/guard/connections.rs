//! Connections: the quotas that they need, and the events of their beginning.

use std::net::SocketAddr;
use std::time::Instant;

use super::{AccessGuard, ConnectionSlot};
use crate::access::connection::{Connection, Direction, WatchedConnection, next_id};
use crate::access::denial::Request;
use crate::access::listen_address::ListenAddress;
use crate::access::permit::SocketPermit;
use crate::lock::lock;
use crate::policy::{DenyReason, HostName, PolicyRule, UnixName, UnixUse, Use};
use crate::quota::Quota;

/// A listener, as the events of its connections name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListenSource {
    address: Option<ListenAddress>,
    rule: Option<PolicyRule>,
}

impl AccessGuard {
    /// Asks for a connect to this address, which counts until the slot is dropped.
    pub(crate) fn count_connect(
        &self,
        address: SocketAddr,
    ) -> Result<Option<ConnectionSlot>, Quota> {
        let counted = self.quotas.connect(Some(address.ip()));
        counted.inspect_err(|quota| self.over(Request::Connect(address), *quota))
    }

    /// Asks for a connect to this Unix socket, as [`count_connect`](Self::count_connect).
    pub(crate) fn count_unix_connect(
        &self,
        name: &UnixName,
    ) -> Result<Option<ConnectionSlot>, Quota> {
        let counted = self.quotas.connect(None);
        counted.inspect_err(|quota| self.over(Request::ConnectUnix(name.clone()), *quota))
    }

    /// Asks whether the guest may have one more connection that was accepted, from this peer.
    /// Returns false if the connection has to be turned away.
    pub(crate) fn count_accepted(&self, permit: &SocketPermit, peer: Option<SocketAddr>) -> bool {
        match self.quotas.accept(peer.map(|peer| peer.ip())) {
            Ok(slot) => {
                slot.into_iter().for_each(|slot| permit.occupies(slot));
                true
            }
            Err(quota) => {
                self.over(Request::Accept(peer.map(|peer| peer.ip())), quota);
                false
            }
        }
    }

    /// Asks for a look-up.
    pub(crate) fn count_lookup(&self, name: &HostName) -> Result<(), Quota> {
        let counted = self.quotas.look_up();
        counted.inspect_err(|quota| self.over(Request::Lookup(name.clone()), *quota))
    }

    /// Counts the result of a look-up, and tells the observer: so many addresses.
    pub(crate) fn looked_up(&self, name: &HostName, addresses: usize) {
        self.stats().looked_up(addresses > 0);
        if self.observer().watches_connections() {
            self.observer().looked_up(name, addresses);
        }
    }

    /// Describes a listener on this address. A rule was asked for `policy_address`.
    pub(crate) fn listen_source(
        &self,
        address: SocketAddr,
        policy_address: Option<SocketAddr>,
    ) -> ListenSource {
        let rule = policy_address.and_then(|policy_address| {
            let grants = lock(&self.grants);
            let policy = self.policy.current();
            policy.allowing_rule(Use::Listen, policy_address, &grants, Instant::now())
        });
        ListenSource {
            address: Some(address.into()),
            rule,
        }
    }

    /// Describes a listener on this Unix socket.
    pub(crate) fn unix_listen_source(&self, name: UnixName) -> ListenSource {
        ListenSource {
            rule: self
                .policy
                .current()
                .allowing_unix_rule(UnixUse::Listen, &name),
            address: Some(name.into()),
        }
    }

    /// A connection that the guest has made is open.
    pub(crate) fn connected(&self, permit: &SocketPermit, peer: SocketAddr) {
        self.opened(permit, Direction::Out, || {
            let grants = lock(&self.grants);
            let policy = self.policy.current();
            let rule = policy.allowing_rule(Use::Connect, peer, &grants, Instant::now());
            outgoing(peer.into(), rule)
        });
    }

    /// A connection to a Unix socket that the guest has made is open.
    pub(crate) fn unix_connected(&self, permit: &SocketPermit, name: &UnixName) {
        self.opened(permit, Direction::Out, || {
            let policy = self.policy.current();
            let rule = policy.allowing_unix_rule(UnixUse::Connect, name);
            outgoing(name.clone().into(), rule)
        });
    }

    /// A connection that the guest has accepted is open.
    pub(crate) fn accepted(
        &self,
        permit: &SocketPermit,
        peer: Option<SocketAddr>,
        source: &ListenSource,
    ) {
        self.opened(permit, Direction::In, || Connection {
            id: next_id(),
            direction: Direction::In,
            peer: peer.map(ListenAddress::from),
            listener: source.address.clone(),
            rule: source.rule.clone(),
        });
    }

    fn opened(
        &self,
        permit: &SocketPermit,
        direction: Direction,
        describe: impl FnOnce() -> Connection,
    ) {
        self.stats().connection_opened(direction);
        if let Some(bytes) = &self.quotas.bytes {
            permit.pays(bytes.clone());
        }
        if self.observer().watches_connections() {
            permit.watch(WatchedConnection::open(self.observer(), describe()));
        }
    }

    fn over(&self, request: Request, quota: Quota) {
        self.deny(request, DenyReason::Quota(quota));
    }
}

fn outgoing(peer: ListenAddress, rule: Option<PolicyRule>) -> Connection {
    Connection {
        id: next_id(),
        direction: Direction::Out,
        peer: Some(peer),
        listener: None,
        rule,
    }
}

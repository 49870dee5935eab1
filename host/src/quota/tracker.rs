use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use super::bucket::TokenBucket;
use super::{Quota, Quotas};

/// The use of the quotas that count connections and look-ups.
#[derive(Debug)]
pub(crate) struct ConnectionQuotas {
    quotas: Quotas,
    open: u64,
    /// The open connections with each peer. An entry has one at least, so that there are
    /// never more entries than connections.
    with_peer: HashMap<IpAddr, u64>,
    accepts: Option<TokenBucket>,
    connects: Option<TokenBucket>,
    lookups: Option<TokenBucket>,
}

/// A connection that was counted, to be given back to [`ConnectionQuotas::closed`].
#[derive(Debug)]
pub(crate) struct Counted {
    peer: Option<IpAddr>,
}

impl ConnectionQuotas {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            quotas,
            open: 0,
            with_peer: HashMap::new(),
            accepts: quotas.accepts_per_second.map(TokenBucket::new),
            connects: quotas.connects_per_second.map(TokenBucket::new),
            lookups: quotas.lookups_per_second.map(TokenBucket::new),
        }
    }

    /// Returns true if anything here has a bound.
    pub(crate) fn bind(quotas: &Quotas) -> bool {
        let Quotas {
            connections,
            connections_per_peer,
            accepts_per_second,
            connects_per_second,
            lookups_per_second,
            ..
        } = quotas;
        [
            connections,
            connections_per_peer,
            accepts_per_second,
            connects_per_second,
            lookups_per_second,
        ]
        .iter()
        .any(|quota| quota.is_some())
    }

    /// Counts a connection that was accepted from `peer`, which a Unix socket has not.
    pub(crate) fn accept(&mut self, peer: Option<IpAddr>, now: Instant) -> Result<Counted, Quota> {
        let peer = peer.map(network);
        self.check(peer)?;
        take(&mut self.accepts, now, Quota::AcceptsPerSecond)?;
        Ok(self.count(peer))
    }

    /// Counts a connection that is being made to `peer`.
    pub(crate) fn connect(&mut self, peer: Option<IpAddr>, now: Instant) -> Result<Counted, Quota> {
        let peer = peer.map(network);
        self.check(peer)?;
        take(&mut self.connects, now, Quota::ConnectsPerSecond)?;
        Ok(self.count(peer))
    }

    /// Counts a look-up.
    pub(crate) fn look_up(&mut self, now: Instant) -> Result<(), Quota> {
        take(&mut self.lookups, now, Quota::LookupsPerSecond)
    }

    /// Ends counting a connection.
    pub(crate) fn closed(&mut self, Counted { peer }: &Counted) {
        self.open = self.open.saturating_sub(1);
        let Some(peer) = peer else {
            return;
        };
        if let Some(count) = self.with_peer.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                self.with_peer.remove(peer);
            }
        }
    }

    fn check(&self, peer: Option<IpAddr>) -> Result<(), Quota> {
        if let Some(most) = self.quotas.connections
            && self.open >= most
        {
            return Err(Quota::Connections(most));
        }
        if let Some(most) = self.quotas.connections_per_peer
            && let Some(peer) = peer
            && self.with_peer.get(&peer).copied().unwrap_or(0) >= most
        {
            return Err(Quota::ConnectionsPerPeer(most));
        }
        Ok(())
    }

    fn count(&mut self, peer: Option<IpAddr>) -> Counted {
        let peer = peer.filter(|_| self.quotas.connections_per_peer.is_some());
        self.open += 1;
        if let Some(peer) = peer {
            *self.with_peer.entry(peer).or_default() += 1;
        }
        Counted { peer }
    }
}

/// Takes a token, or fails with the quota.
fn take(
    bucket: &mut Option<TokenBucket>,
    now: Instant,
    quota: impl FnOnce(u64) -> Quota,
) -> Result<(), Quota> {
    let Some(bucket) = bucket else {
        return Ok(());
    };
    if !bucket.has_token(now) {
        return Err(quota(bucket.rate()));
    }
    bucket.spend(1, now);
    Ok(())
}

/// The address that a peer is counted by: for IPv6 the network of 64 bits, all of which a
/// peer has for itself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn tracker(quotas: impl FnOnce(&mut Quotas)) -> ConnectionQuotas {
        let mut all = Quotas::default();
        quotas(&mut all);
        ConnectionQuotas::new(all)
    }

    #[test]
    fn connections_made_and_accepted_count_together_until_they_are_closed() {
        let now = Instant::now();
        let mut quotas = tracker(|all| all.connections = Some(2));
        let made = quotas.connect(ip("192.0.2.1"), now).unwrap();
        quotas.accept(None, now).unwrap();
        for third in [
            quotas.accept(ip("192.0.2.2"), now),
            quotas.connect(None, now),
        ] {
            assert_eq!(third.unwrap_err(), Quota::Connections(2));
        }
        quotas.closed(&made);
        assert!(quotas.accept(ip("192.0.2.2"), now).is_ok());
    }

    #[test]
    fn a_peer_has_its_own_quota_and_an_ipv6_network_is_one_peer() {
        let now = Instant::now();
        let mut quotas = tracker(|all| all.connections_per_peer = Some(1));
        let first = quotas.accept(ip("2001:db8::1"), now).unwrap();
        assert_eq!(
            quotas.accept(ip("2001:db8::2"), now).unwrap_err(),
            Quota::ConnectionsPerPeer(1)
        );
        assert!(quotas.accept(ip("2001:db8:0:1::1"), now).is_ok());
        assert!(quotas.accept(ip("192.0.2.1"), now).is_ok());
        let mapped = quotas.accept(ip("::ffff:192.0.2.1"), now);
        assert_eq!(mapped.unwrap_err(), Quota::ConnectionsPerPeer(1));
        quotas.closed(&first);
        assert!(quotas.accept(ip("2001:db8::2"), now).is_ok());
        assert!(quotas.accept(None, now).is_ok(), "a Unix socket");
    }

    #[test]
    fn peers_are_forgotten_with_their_last_connection() {
        let now = Instant::now();
        let mut quotas = tracker(|all| all.connections_per_peer = Some(10));
        let counted: Vec<Counted> = (0..5)
            .map(|_| quotas.accept(ip("192.0.2.1"), now).unwrap())
            .collect();
        assert_eq!(quotas.with_peer.len(), 1);
        counted.iter().for_each(|one| quotas.closed(one));
        assert!(quotas.with_peer.is_empty());
        assert_eq!(quotas.open, 0);
    }

    #[test]
    fn each_rate_is_its_own() {
        let now = Instant::now();
        let mut quotas = tracker(|all| {
            all.accepts_per_second = Some(1);
            all.connects_per_second = Some(2);
            all.lookups_per_second = Some(3);
        });
        assert!(quotas.accept(None, now).is_ok());
        let accept = quotas.accept(None, now);
        assert_eq!(accept.unwrap_err(), Quota::AcceptsPerSecond(1));
        assert!(quotas.connect(None, now).is_ok());
        assert!(quotas.connect(None, now).is_ok());
        let connect = quotas.connect(None, now);
        assert_eq!(connect.unwrap_err(), Quota::ConnectsPerSecond(2));
        for _ in 0..3 {
            assert!(quotas.look_up(now).is_ok());
        }
        assert_eq!(quotas.look_up(now), Err(Quota::LookupsPerSecond(3)));
        let later = now + Duration::from_secs(1);
        assert!(quotas.accept(None, later).is_ok());
        assert!(quotas.look_up(later).is_ok());
    }

    #[test]
    fn a_refused_connection_takes_no_token_and_no_place() {
        let now = Instant::now();
        let mut quotas = tracker(|all| {
            all.connections = Some(0);
            all.accepts_per_second = Some(1);
        });
        for _ in 0..3 {
            let refused = quotas.accept(ip("192.0.2.1"), now);
            assert_eq!(refused.unwrap_err(), Quota::Connections(0));
        }
        assert_eq!(quotas.open, 0);
        assert!(quotas.with_peer.is_empty());
    }

    #[test]
    fn without_quotas_nothing_is_refused() {
        assert!(!ConnectionQuotas::bind(&Quotas::default()));
        let now = Instant::now();
        let mut quotas = tracker(|_| ());
        for _ in 0..1000 {
            assert!(quotas.accept(ip("192.0.2.1"), now).is_ok());
            assert!(quotas.look_up(now).is_ok());
        }
    }
}

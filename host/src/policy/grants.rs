use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::{HostName, HostPattern, LocalNetworks, PortPattern, Special, TcpRule};

/// The time for which a name's rule covers an address that the name resolved to. Each
/// look-up that gives the address again starts the time anew. Open connections stay when
/// it ends.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The number of grants remembered, so that a guest that may look up `*` cannot fill the
/// host's memory. Beyond that, the grant that would end first is forgotten.
const MAX_GRANTS: usize = 4096;

/// The addresses that look-ups of this guest have given, with their names, and the networks
/// of the machine.
///
/// Only look-ups that a rule for connecting covers are remembered here.
#[derive(Debug, Default)]
pub struct Grants {
    local: Arc<LocalNetworks>,
    by_address: HashMap<IpAddr, BTreeMap<HostName, Instant>>,
    len: usize,
}

impl Grants {
    /// Sets the networks of the machine, whose addresses are special from then on.
    pub fn set_local(&mut self, networks: Arc<LocalNetworks>) {
        self.local = networks;
    }

    /// Returns the special range that an address lies in, with its class.
    pub(super) fn special(&self, address: IpAddr) -> Option<(Special, IpNet)> {
        self.local.special(address)
    }

    /// Remembers that `name` resolved to these addresses at `now`.
    pub fn record(&mut self, name: &HostName, addresses: &[IpAddr], now: Instant) {
        self.expire(now);
        for address in addresses {
            let names = self.by_address.entry(address.to_canonical()).or_default();
            if names.insert(name.clone(), now + GRANT_LIFETIME).is_none() {
                self.len += 1;
            }
            if self.len > MAX_GRANTS {
                self.forget_first();
            }
        }
    }

    /// Returns the names that resolved to this address. `false` marks a name whose time is
    /// over.
    pub fn names(&self, address: IpAddr, now: Instant) -> impl Iterator<Item = (&HostName, bool)> {
        self.by_address
            .get(&address.to_canonical())
            .into_iter()
            .flatten()
            .map(move |(name, expiry)| (name, *expiry > now))
    }

    /// Returns the narrowest rule that would cover connecting to this address: by the name
    /// that a look-up gave it for, where such a rule can, and else by the address.
    #[must_use]
    pub fn narrowest_rule(&self, address: SocketAddr, now: Instant) -> TcpRule {
        let special = self.special(address.ip()).map(|(class, _)| class);
        let private = special.is_some_and(Special::is_private_network);
        let opens = |name: &&HostName| match special {
            None => true,
            Some(Special::Loopback) => name.is_localhost(),
            Some(_) => private,
        };
        let mut names =
            (self.names(address.ip(), now)).filter_map(|(name, live)| live.then_some(name));
        match names.find(opens) {
            Some(name) => TcpRule {
                host: HostPattern::Name(name.clone()),
                port: PortPattern::One(address.port()),
                private,
            },
            None => TcpRule::from(address),
        }
    }

    /// Forgets grants that ended a lifetime ago. Until then a denial can say that the
    /// look-up is too old.
    fn expire(&mut self, now: Instant) {
        self.by_address.retain(|_, names| {
            names.retain(|_, expiry| *expiry + GRANT_LIFETIME > now);
            !names.is_empty()
        });
        self.len = self.by_address.values().map(BTreeMap::len).sum();
    }

    fn forget_first(&mut self) {
        let first = self
            .by_address
            .iter()
            .flat_map(|(address, names)| names.iter().map(move |(name, at)| (at, address, name)))
            .min_by_key(|(expiry, ..)| **expiry)
            .map(|(_, address, name)| (*address, name.clone()));
        let Some((address, name)) = first else {
            return;
        };
        if let Some(names) = self.by_address.get_mut(&address) {
            names.remove(&name);
            self.len -= 1;
            if names.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(grants: &Grants, address: &str, now: Instant) -> Vec<(String, bool)> {
        grants
            .names(address.parse().unwrap(), now)
            .map(|(name, live)| (name.to_string(), live))
            .collect()
    }

    #[test]
    fn a_grant_ends_after_its_lifetime_and_a_new_look_up_renews_it() {
        let start = Instant::now();
        let name = "a.example".parse().unwrap();
        let address = ["1.1.1.1".parse().unwrap()];
        let mut grants = Grants::default();
        grants.record(&name, &address, start);
        let end = start + GRANT_LIFETIME;
        let just_before = end - Duration::from_secs(1);
        assert_eq!(
            names(&grants, "1.1.1.1", just_before),
            [("a.example".into(), true)]
        );
        assert_eq!(
            names(&grants, "1.1.1.1", end),
            [("a.example".into(), false)]
        );
        grants.record(&name, &address, just_before);
        assert_eq!(names(&grants, "1.1.1.1", end), [("a.example".into(), true)]);
    }

    #[test]
    fn an_ipv4_mapped_address_is_its_ipv4_address() {
        let now = Instant::now();
        let mut grants = Grants::default();
        grants.record(
            &"a".parse().unwrap(),
            &["::ffff:1.1.1.1".parse().unwrap()],
            now,
        );
        assert_eq!(names(&grants, "1.1.1.1", now).len(), 1);
    }

    #[test]
    fn a_guest_that_looks_up_without_end_does_not_fill_the_memory() {
        let now = Instant::now();
        let mut grants = Grants::default();
        for i in 0..MAX_GRANTS + 10 {
            let at = now + Duration::from_millis(i as u64);
            let name = format!("n{i}.example").parse().unwrap();
            grants.record(&name, &["1.1.1.1".parse().unwrap()], at);
        }
        let left = names(&grants, "1.1.1.1", now);
        assert_eq!(left.len(), MAX_GRANTS);
        assert!(!left.contains(&("n0.example".into(), true)));
    }
}

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use if_addrs::IfAddr;
use ipnet::IpNet;

use crate::lock::lock;
use crate::policy::LocalNetworks;

/// The time after which the addresses are read again.
const FRESH: Duration = Duration::from_secs(10);

/// The addresses of the machine's interfaces, as they were a short while ago.
#[derive(Debug, Default)]
pub(super) struct Interfaces(Mutex<Option<(Instant, Arc<LocalNetworks>)>>);

impl Interfaces {
    /// Returns the addresses and the networks of the machine's interfaces.
    pub(super) fn networks(&self, now: Instant) -> Arc<LocalNetworks> {
        let mut known = lock(&self.0);
        if let Some((read, networks)) = &*known
            && now.saturating_duration_since(*read) < FRESH
        {
            return Arc::clone(networks);
        }
        let networks = Arc::new(read());
        *known = Some((now, Arc::clone(&networks)));
        networks
    }
}

/// Asks the kernel. Without an answer, there are none.
fn read() -> LocalNetworks {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read the addresses of the interfaces");
        Vec::new()
    });
    interfaces
        .iter()
        .filter_map(|interface| {
            let (address, prefix) = match &interface.addr {
                IfAddr::V4(own) => (IpAddr::V4(own.ip), own.prefixlen),
                IfAddr::V6(own) => (IpAddr::V6(own.ip), own.prefixlen),
            };
            IpNet::new(address, prefix).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there_and_is_read_once_in_a_while() {
        let interfaces = Interfaces::default();
        let now = Instant::now();
        let networks = interfaces.networks(now);
        assert!(!networks.is_empty());
        let again = interfaces.networks(now + Duration::from_secs(1));
        assert!(Arc::ptr_eq(&networks, &again));
        let later = interfaces.networks(now + FRESH);
        assert!(!Arc::ptr_eq(&networks, &later));
    }
}

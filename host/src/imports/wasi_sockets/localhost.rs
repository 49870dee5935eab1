//! The addresses of `localhost`, without a look-up in DNS (RFC 6761).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The file in which the operator may name them.
const HOSTS: &str = "/etc/hosts";

/// The loopback addresses that the machine gives the name `localhost`, IPv6 first.
pub(super) fn addresses() -> Vec<IpAddr> {
    of(&std::fs::read_to_string(HOSTS).unwrap_or_default())
}

/// Both loopback addresses, if the file names none.
fn of(hosts: &str) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = hosts.lines().filter_map(line).collect();
    if addresses.is_empty() {
        addresses = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    }
    addresses.sort_by_key(IpAddr::is_ipv4);
    addresses.dedup();
    addresses
}

/// The address of a line that names `localhost` and a loopback address: hosts(5).
fn line(text: &str) -> Option<IpAddr> {
    let text = text.split('#').next()?;
    let mut words = text.split_ascii_whitespace();
    let address: IpAddr = words.next()?.parse().ok()?;
    let named = words.any(|name| name.eq_ignore_ascii_case("localhost"));
    (named && address.is_loopback()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hosts: &str) -> Vec<String> {
        of(hosts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_operators_file_says_which_loopback_addresses_the_machine_has() {
        assert_eq!(shown("127.0.0.1 localhost\n"), ["127.0.0.1"]);
        let both = "127.0.0.1\tbox LocalHost # it\n::1 localhost ip6-loopback\n";
        assert_eq!(shown(both), ["::1", "127.0.0.1"]);
    }

    #[test]
    fn localhost_is_always_a_loopback_address() {
        for hosts in [
            "",
            "10.0.0.1 localhost",
            "127.0.0.1 other",
            "# ::1 localhost",
            "::1",
        ] {
            assert_eq!(shown(hosts), ["::1", "127.0.0.1"], "{hosts}");
        }
    }
}

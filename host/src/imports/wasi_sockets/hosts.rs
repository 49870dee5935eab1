//! Names that the machine itself knows: `localhost` (RFC 6761), and those of hosts(5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::policy::HostName;

/// The file in which the operator may name addresses.
const HOSTS: &str = "/etc/hosts";

/// The loopback addresses that the machine gives the name `localhost`, IPv6 first.
pub(super) fn localhost() -> Vec<IpAddr> {
    localhost_in(&text())
}

/// The addresses that the machine gives this name, in the order of the file.
pub(super) fn addresses(name: &HostName) -> Vec<IpAddr> {
    named(&text(), name.as_str()).collect()
}

fn text() -> String {
    std::fs::read_to_string(HOSTS).unwrap_or_default()
}

/// Both loopback addresses, if the file names none.
fn localhost_in(hosts: &str) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = named(hosts, "localhost")
        .filter(IpAddr::is_loopback)
        .collect();
    if addresses.is_empty() {
        addresses = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    }
    addresses.sort_by_key(IpAddr::is_ipv4);
    addresses.dedup();
    addresses
}

/// The addresses of the lines that have this name.
fn named<'a>(hosts: &'a str, name: &'a str) -> impl Iterator<Item = IpAddr> + 'a {
    hosts.lines().filter_map(move |line| {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words
            .any(|own| own.eq_ignore_ascii_case(name))
            .then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hosts: &str) -> Vec<String> {
        localhost_in(hosts)
            .iter()
            .map(ToString::to_string)
            .collect()
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

    #[test]
    fn a_name_has_the_addresses_of_all_its_lines() {
        let hosts = "192.0.2.1 a.example a # one\n::1 b\n192.0.2.2\tA.example\nx a.example\n";
        let of = |name| {
            named(hosts, name)
                .map(|ip| ip.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("a.example"), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(of("a"), ["192.0.2.1"]);
        assert!(of("example").is_empty() && of("one").is_empty());
    }
}

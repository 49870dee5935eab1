use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A range of addresses that needs a rule of its own: `*`, names and wider networks do
/// not cover it.
///
/// An outsider who controls a name could use these addresses to reach services that only
/// the host's own network should reach. So an address that a name resolved to is checked
/// here again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Special {
    /// `0.0.0.0`, `::`, and the rest of `0.0.0.0/8`.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// The metadata service of a cloud, such as `169.254.169.254`, which answers with
    /// credentials. Only a rule with exactly this address covers it.
    Metadata,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// `100.64.0.0/10`, carrier-grade NAT.
    Shared,
    /// `fc00::/7`, and `fec0::/10`, its predecessor.
    UniqueLocal,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Reserved, for documentation, or for benchmarks.
    Reserved,
    /// IPv6 addresses that a gateway translates to IPv4 ones unknown here.
    Translated,
    /// An address of the machine itself: see [`LocalNetworks`](super::LocalNetworks).
    OwnAddress,
    /// An address in the network of one of the machine's interfaces.
    OnLink,
}

impl Special {
    /// Returns the special range that an address lies in, with its class.
    ///
    /// An IPv4-mapped address is its IPv4 address. An address that carries IPv4 addresses
    /// (NAT64, 6to4, ISATAP, Teredo and others) is special if one of them is.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<(Self, IpNet)> {
        match address.to_canonical() {
            IpAddr::V4(address) => of_v4(address).map(|(class, net)| (class, IpNet::V4(net))),
            IpAddr::V6(address) => of_v6(address).map(|(class, net)| (class, IpNet::V6(net))),
        }
    }

    /// Returns whether this is the address space of a private network, which `?private`
    /// opens: not the host itself, its links, or a metadata service.
    pub(super) fn is_private_network(self) -> bool {
        matches!(self, Self::Private | Self::Shared | Self::UniqueLocal)
    }

    /// Returns the name of the range in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::UniqueLocal => "unique-local",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
            Self::Translated => "translated",
            Self::OwnAddress => "the host's own",
            Self::OnLink => "on-link",
        }
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// First match wins, so single addresses come before the range around them.
///
/// Each address of a metadata service is from the documentation of the cloud named.
const V4: &[(Special, Ipv4Net)] = &[
    // Amazon EC2, Google Cloud, Azure, Oracle Cloud, OpenStack and most others.
    (Special::Metadata, v4(169, 254, 169, 254, 32)),
    // Credentials of a task in Amazon ECS.
    (Special::Metadata, v4(169, 254, 170, 2, 32)),
    // Credentials of a pod in Amazon EKS ("Pod Identity").
    (Special::Metadata, v4(169, 254, 170, 23, 32)),
    // Tencent Cloud.
    (Special::Metadata, v4(169, 254, 0, 23, 32)),
    // Scaleway.
    (Special::Metadata, v4(169, 254, 42, 42, 32)),
    // Alibaba Cloud.
    (Special::Metadata, v4(100, 100, 100, 200, 32)),
    // Azure's wire server.
    (Special::Metadata, v4(168, 63, 129, 16, 32)),
    // Oracle Cloud Classic.
    (Special::Metadata, v4(192, 0, 0, 192, 32)),
    (Special::Unspecified, v4(0, 0, 0, 0, 8)),
    (Special::Loopback, v4(127, 0, 0, 0, 8)),
    (Special::LinkLocal, v4(169, 254, 0, 0, 16)),
    (Special::Private, v4(10, 0, 0, 0, 8)),
    (Special::Private, v4(172, 16, 0, 0, 12)),
    (Special::Private, v4(192, 168, 0, 0, 16)),
    (Special::Shared, v4(100, 64, 0, 0, 10)),
    (Special::Multicast, v4(224, 0, 0, 0, 4)),
    (Special::Broadcast, v4(255, 255, 255, 255, 32)),
    (Special::Reserved, v4(192, 0, 0, 0, 24)),
    (Special::Reserved, v4(192, 0, 2, 0, 24)),
    (Special::Reserved, v4(198, 18, 0, 0, 15)),
    (Special::Reserved, v4(198, 51, 100, 0, 24)),
    (Special::Reserved, v4(203, 0, 113, 0, 24)),
    (Special::Reserved, v4(240, 0, 0, 0, 4)),
];

const V6: &[(Special, Ipv6Net)] = &[
    // Amazon EC2.
    (
        Special::Metadata,
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    ),
    // Credentials of a pod in Amazon EKS ("Pod Identity").
    (
        Special::Metadata,
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128),
    ),
    // Google Cloud.
    (
        Special::Metadata,
        v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    ),
    // Oracle Cloud.
    (
        Special::Metadata,
        v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128),
    ),
    // OpenStack.
    (
        Special::Metadata,
        v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128),
    ),
    // Scaleway.
    (
        Special::Metadata,
        v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
    ),
    (Special::Unspecified, v6([0; 8], 128)),
    (Special::Loopback, v6([0, 0, 0, 0, 0, 0, 0, 1], 128)),
    (Special::LinkLocal, v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10)),
    (Special::UniqueLocal, v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7)),
    (Special::UniqueLocal, v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10)),
    (Special::Multicast, v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)),
    (
        Special::Translated,
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ),
    (Special::Translated, v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32)),
    // IPv4-compatible, long deprecated.
    (Special::Translated, v6([0; 8], 96)),
    (Special::Reserved, v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64)),
    (Special::Reserved, v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32)),
    (Special::Reserved, v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20)),
];

fn of_v4(address: Ipv4Addr) -> Option<(Special, Ipv4Net)> {
    V4.iter().copied().find(|(_, net)| net.contains(&address))
}

fn of_v6(address: Ipv6Addr) -> Option<(Special, Ipv6Net)> {
    let classes = || {
        let found = embedded_in(address).filter_map(of_v4);
        found.map(|(class, _)| class)
    };
    // Some forms leave bits unused, which are zero and say less than the others.
    let telling = classes().find(|class| *class != Special::Unspecified);
    if let Some(class) = telling.or_else(|| classes().next()) {
        // A rule for such an address has to be for this address exactly.
        return Some((class, Ipv6Net::from(address)));
    }
    V6.iter().copied().find(|(_, net)| net.contains(&address))
}

/// Returns the IPv4 addresses that packets to this IPv6 address may reach: through a
/// gateway that translates them, or through a tunnel.
///
/// The host cannot know which gateways its network has, so every form counts: NAT64 (RFC
/// 6052, RFC 8215), 6to4 (RFC 3056), ISATAP (RFC 5214), Teredo (RFC 4380, its server and
/// its client), IPv4-translated (RFC 2765) and IPv4-compatible (RFC 4291).
pub(super) fn embedded(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let v6 = match address.to_canonical() {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    };
    v6.into_iter().flat_map(embedded_in)
}

fn embedded_in(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let [a, b, c, d, e, f, g, h] = address.segments();
    let mut found = [None; 3];
    let [last, prefixed, server] = &mut found;
    *last = match [a, b, c, d, e, f] {
        // NAT64 with the well-known prefix, and with the prefix for local use at /96.
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => Some(join(g, h)),
        // IPv4-translated, and IPv4-compatible apart from `::` and `::1`.
        [0, 0, 0, 0, 0xffff, 0] => Some(join(g, h)),
        [0, 0, 0, 0, 0, 0] if g != 0 => Some(join(g, h)),
        // Teredo: the client's address, with every bit inverted.
        [0x2001, 0, ..] => Some(join(!g, !h)),
        // ISATAP: an interface identifier, below any prefix.
        [.., 0 | 0x200, 0x5efe] => Some(join(g, h)),
        _ => None,
    };
    *prefixed = match [a, b, c] {
        [0x2002, high, low] => Some(join(high, low)),
        // NAT64 with the prefix for local use, a /48: bits 64 to 71 are no part of it.
        [0x64, 0xff9b, 1] => Some(join(d, (e << 8) | (f >> 8))),
        _ => None,
    };
    if [a, b] == [0x2001, 0] {
        *server = Some(join(c, d));
    }
    found.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(address: &str) -> Option<Special> {
        Special::of(address.parse().unwrap()).map(|(class, _)| class)
    }

    #[test]
    fn every_special_range_is_recognised() {
        for (address, expected) in [
            ("0.0.0.0", Special::Unspecified),
            ("::", Special::Unspecified),
            ("127.0.0.1", Special::Loopback),
            ("127.255.255.254", Special::Loopback),
            ("::1", Special::Loopback),
            ("169.254.1.1", Special::LinkLocal),
            ("fe80::1", Special::LinkLocal),
            ("169.254.169.254", Special::Metadata),
            ("fd00:ec2::254", Special::Metadata),
            ("10.1.2.3", Special::Private),
            ("172.31.255.255", Special::Private),
            ("192.168.0.1", Special::Private),
            ("100.64.0.1", Special::Shared),
            ("fd12::1", Special::UniqueLocal),
            ("224.0.0.1", Special::Multicast),
            ("ff02::1", Special::Multicast),
            ("255.255.255.255", Special::Broadcast),
            ("240.0.0.1", Special::Reserved),
            ("192.0.2.1", Special::Reserved),
            ("2001:db8::1", Special::Reserved),
        ] {
            assert_eq!(class(address), Some(expected), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_not_special() {
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert_eq!(class(address), None, "{address}");
        }
    }

    #[test]
    fn an_address_that_carries_an_ipv4_address_is_judged_by_it() {
        assert_eq!(class("::ffff:127.0.0.1"), Some(Special::Loopback));
        assert_eq!(class("64:ff9b::a9fe:a9fe"), Some(Special::Metadata));
        assert_eq!(class("2002:7f00:1::"), Some(Special::Loopback));
        assert_eq!(class("64:ff9b:1::a9fe:a9fe"), Some(Special::Metadata));
        assert_eq!(class("64:ff9b:1:a9fe:a9:fe00::"), Some(Special::Metadata));
        assert_eq!(class("::ffff:0:127.0.0.1"), Some(Special::Loopback));
        assert_eq!(class("::10.0.0.1"), Some(Special::Private));
        assert_eq!(class("2606:4700::5efe:10.0.0.1"), Some(Special::Private));
        assert_eq!(
            class("2606:4700::200:5efe:10.0.0.1"),
            Some(Special::Private)
        );
        // Teredo: by its server, and by its client.
        assert_eq!(class("2001:0:a00:1::fefe:fefe"), Some(Special::Private));
        assert_eq!(class("2001:0:101:101::80ff:fffe"), Some(Special::Loopback));
    }

    #[test]
    fn the_metadata_services_of_the_clouds_are_known() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "169.254.42.42",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fe80::a9fe:a9fe",
            "fd00:42::42",
        ] {
            assert_eq!(class(address), Some(Special::Metadata), "{address}");
        }
    }
}

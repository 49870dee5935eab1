use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::HostName;

/// The end of a rule whose name also covers private addresses.
pub(super) const PRIVATE: &str = "?private";

/// A rule for TCP addresses: `tcp://host:port`, `tcp://name:port?private`.
///
/// Rules are made by parsing. [`Display`](fmt::Display) writes the canonical form, which
/// parses to the same rule again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpRule {
    /// The hosts.
    pub host: HostPattern,
    /// The ports.
    pub port: PortPattern,
    /// The name also covers private addresses that it resolved to (`?private`). Always
    /// false for other hosts than names, and for listening.
    pub private: bool,
}

/// The host part of a [`TcpRule`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: for connecting, every address outside the special ranges, and the
    /// look-up of every name; for listening, every local address.
    Any,
    /// One address, in a special range or not.
    Address(IpAddr),
    /// A CIDR range. It covers special addresses only when it lies within
    /// their range: `127.0.0.0/8` covers `127.0.0.1`, `0.0.0.0/0` does not.
    Network(IpNet),
    /// A host name.
    Name(HostName),
    /// `*.suffix`: every name below the suffix, not the suffix itself.
    Suffix(HostName),
}

impl HostPattern {
    /// Returns whether the pattern is a name that covers this one.
    ///
    /// `*` covers every name; addresses and networks cover none.
    #[must_use]
    pub fn covers_name(&self, name: &HostName) -> bool {
        match self {
            Self::Any => true,
            Self::Name(own) => own == name,
            Self::Suffix(suffix) => name.is_below(suffix),
            Self::Address(_) | Self::Network(_) => false,
        }
    }

    /// Returns true if the pattern is `localhost`, or names below it.
    pub(super) fn is_localhost(&self) -> bool {
        match self {
            Self::Name(name) | Self::Suffix(name) => name.is_localhost(),
            Self::Any | Self::Address(_) | Self::Network(_) => false,
        }
    }

    /// Returns true if the pattern is of addresses, and covers a loopback address.
    pub(super) fn opens_loopback(&self) -> bool {
        match self {
            Self::Address(own) => own.is_loopback(),
            // A wider range covers no special address.
            Self::Network(own) => own.addr().is_loopback(),
            Self::Any | Self::Name(_) | Self::Suffix(_) => false,
        }
    }
}

/// The port part of a [`TcpRule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortPattern {
    /// `*`: every port, and an ephemeral one when listening.
    Any,
    /// One port. `0` means an ephemeral port when listening.
    One(u16),
    /// An inclusive range. Never covers port 0, because the ephemeral port
    /// that the kernel then picks would lie outside the range.
    Range(u16, u16),
}

impl PortPattern {
    /// Returns whether the pattern covers this port.
    #[must_use]
    pub fn covers(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(own) => own == port,
            Self::Range(first, last) => port != 0 && (first..=last).contains(&port),
        }
    }
}

impl PortPattern {
    /// Returns whether a port exists that both patterns cover.
    pub(super) fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::One(port), pattern) | (pattern, Self::One(port)) => pattern.covers(port),
            (Self::Range(first, last), Self::Range(start, end)) => first <= end && start <= last,
        }
    }
}

/// A rule for binding and listening over TCP. Its host is an address, a network, `*`, or
/// `localhost`, which means the loopback addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpListenRule(pub(super) TcpRule);

impl TcpListenRule {
    /// The rule as written.
    #[must_use]
    pub fn rule(&self) -> &TcpRule {
        &self.0
    }
}

impl From<SocketAddr> for TcpRule {
    /// The narrowest rule that covers the address.
    fn from(address: SocketAddr) -> Self {
        Self {
            host: HostPattern::Address(address.ip().to_canonical()),
            port: PortPattern::One(address.port()),
            private: false,
        }
    }
}

impl From<SocketAddr> for TcpListenRule {
    /// The narrowest rule that covers the address.
    fn from(address: SocketAddr) -> Self {
        Self(TcpRule::from(address))
    }
}

impl fmt::Display for TcpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}:{}", self.host, self.port)?;
        if self.private {
            f.write_str(PRIVATE)?;
        }
        Ok(())
    }
}

impl fmt::Display for TcpListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Network(IpNet::V4(network)) => network.fmt(f),
            Self::Network(IpNet::V6(network)) => write!(f, "[{network}]"),
            Self::Name(name) => name.fmt(f),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl fmt::Display for PortPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(port) => port.fmt(f),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

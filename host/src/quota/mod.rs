//! Quotas: how much a guest may use over time, and of its connections. Pure, without I/O.
//!
//! A [limit](crate::Limits) bounds the memory of the host. A quota bounds the use of the
//! network. What is over a quota fails at once, and never waits: connects and look-ups with
//! an error, connections to accept by a reset. Only the bytes of a second wait: a stream is
//! slowed down, and loses nothing.

mod bucket;
mod bytes;
mod tracker;

use std::fmt;

pub(crate) use self::bytes::{ByteQuotas, Half, Transfer};
pub(crate) use self::tracker::{ConnectionQuotas, Counted};

/// Bounds on the use of the network by one guest. By default there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quotas {
    /// Connections at a time, made and accepted.
    pub connections: Option<u64>,
    /// Connections at a time with one IP address, made and accepted. The addresses of an IPv6
    /// network of 64 bits count as one, since a peer has all of them.
    pub connections_per_peer: Option<u64>,
    /// Connections accepted in a second.
    pub accepts_per_second: Option<u64>,
    /// Connects in a second, also those that fail.
    pub connects_per_second: Option<u64>,
    /// Names looked up in a second, also those that fail.
    pub lookups_per_second: Option<u64>,
    /// Bytes received in a second, by all connections together.
    pub received_per_second: Option<u64>,
    /// Bytes sent in a second, by all connections together.
    pub sent_per_second: Option<u64>,
    /// Bytes received and sent in all.
    pub bytes: Option<u64>,
}

/// A quota that was reached, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quota {
    /// Connections at a time.
    Connections(u64),
    /// Connections at a time with one peer.
    ConnectionsPerPeer(u64),
    /// Connections accepted in a second.
    AcceptsPerSecond(u64),
    /// Connects in a second.
    ConnectsPerSecond(u64),
    /// Look-ups in a second.
    LookupsPerSecond(u64),
    /// Bytes received in a second.
    ReceivedPerSecond(u64),
    /// Bytes sent in a second.
    SentPerSecond(u64),
    /// Bytes in all.
    Bytes(u64),
}

impl Quota {
    /// Returns a stable label, for logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Connections(_) => "quota-connections",
            Self::ConnectionsPerPeer(_) => "quota-connections-per-peer",
            Self::AcceptsPerSecond(_) => "quota-accept-rate",
            Self::ConnectsPerSecond(_) => "quota-connect-rate",
            Self::LookupsPerSecond(_) => "quota-lookup-rate",
            Self::ReceivedPerSecond(_) => "quota-receive-rate",
            Self::SentPerSecond(_) => "quota-send-rate",
            Self::Bytes(_) => "quota-bytes",
        }
    }

    /// Returns the value that was reached.
    #[must_use]
    pub fn value(self) -> u64 {
        match self {
            Self::Connections(value)
            | Self::ConnectionsPerPeer(value)
            | Self::AcceptsPerSecond(value)
            | Self::ConnectsPerSecond(value)
            | Self::LookupsPerSecond(value)
            | Self::ReceivedPerSecond(value)
            | Self::SentPerSecond(value)
            | Self::Bytes(value) => value,
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value();
        let of = match self {
            Self::Connections(_) => "connections",
            Self::ConnectionsPerPeer(_) => "connections with one peer",
            Self::AcceptsPerSecond(_) => "connections accepted in a second",
            Self::ConnectsPerSecond(_) => "connects in a second",
            Self::LookupsPerSecond(_) => "look-ups in a second",
            Self::ReceivedPerSecond(_) => "bytes received in a second",
            Self::SentPerSecond(_) => "bytes sent in a second",
            Self::Bytes(_) => "bytes received and sent",
        };
        write!(f, "the quota of {of} is {value}")
    }
}

use std::fmt;

use super::{HostName, TcpListenRule, TcpRule, UnixListenRule, UnixRule};

/// A rule for connecting.
///
/// Rules are made by parsing. [`Display`](fmt::Display) writes the canonical form, which
/// parses to the same rule again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// `tcp://host:port`.
    Tcp(TcpRule),
    /// `unix:///path`, `unix://@name`.
    Unix(UnixRule),
}

/// A rule for binding and listening.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenRule {
    /// `tcp://host:port`.
    Tcp(TcpListenRule),
    /// `unix:///path?mode=0660`, `unix://@name`.
    Unix(UnixListenRule),
}

/// A rule together with the operation that it allows or denies.
///
/// [`Display`](fmt::Display) gives the rule alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyRule {
    /// A rule for connecting.
    Connect(Rule),
    /// A rule for binding and listening.
    Listen(ListenRule),
    /// A rule for looking up names.
    Resolve(NamePattern),
}

/// The names a look-up rule covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// `*`: every name.
    Any,
    /// One name.
    Name(HostName),
    /// `*.suffix`: every name below the suffix, not the suffix itself.
    Suffix(HostName),
}

impl PolicyRule {
    /// The name of the operation: `connect`, `listen` or `resolve`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Listen(_) => "listen",
            Self::Resolve(_) => "resolve",
        }
    }
}

impl NamePattern {
    /// Returns whether the pattern covers this name.
    #[must_use]
    pub fn covers(&self, name: &HostName) -> bool {
        match self {
            Self::Any => true,
            Self::Name(own) => own == name,
            Self::Suffix(suffix) => name.is_below(suffix),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(rule) => rule.fmt(f),
            Self::Unix(rule) => rule.fmt(f),
        }
    }
}

impl fmt::Display for ListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(rule) => rule.fmt(f),
            Self::Unix(rule) => rule.fmt(f),
        }
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(rule) => rule.fmt(f),
            Self::Listen(rule) => rule.fmt(f),
            Self::Resolve(pattern) => pattern.fmt(f),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => name.fmt(f),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

use std::fmt;

use super::name::HostName;
use super::rule::PolicyRule;
use super::special::Special;
use super::unix::UnixName;
use crate::quota::Quota;

/// The reason why a request is denied.
///
/// [`Display`](fmt::Display) gives it as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyReason {
    /// No rule covers the address or the name.
    NoRule,
    /// A rule covers the host, but not this port. Has the name that the guest looked the
    /// address up by, if it did.
    OtherPort(Option<HostName>),
    /// The address lies in a special range, which only a rule of its own covers.
    Special(Special),
    /// The look-up of this name gave a private address, and the name's rule does not say
    /// `?private`.
    PrivateAddress(HostName),
    /// A look-up of this name gave the address, but too long ago.
    Expired(HostName),
    /// This deny rule covers it.
    DenyRule(PolicyRule),
    /// Another process may share the port, and no rule names exactly this port.
    SharedPort,
    /// The guest has this many sockets, which is the limit.
    SocketLimit(usize),
    /// The guest may have this many component handles, and they leave no room for another
    /// connection.
    HandleLimit(usize),
    /// The guest may have this many tasks, streams and futures, and they leave no room for
    /// another connection.
    ConcurrentLimit(usize),
    /// The guest may have this many resources of the host, and they leave no room for another
    /// connection.
    ResourceLimit(usize),
    /// The guest may have this many bytes of memory.
    MemoryLimit(usize),
    /// The guest has made this many files of Unix sockets that are still there.
    UnixFileLimit(usize),
    /// The operator has not granted it.
    NotGranted,
    /// The path of a Unix socket has `..` in it.
    ParentFolder,
    /// A symbolic link is at the path of a Unix socket. Has the name that the link leads
    /// to, if a rule can cover that.
    SymbolicLink(Option<UnixName>),
    /// The policy permits it, and the operating system does not.
    Permission,
    /// The guest has used up this quota.
    Quota(Quota),
}

impl DenyReason {
    /// A stable label, for logs and metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::OtherPort(_) => "other-port",
            Self::Special(_) => "special-range",
            Self::PrivateAddress(_) => "private-address",
            Self::Expired(_) => "expired",
            Self::DenyRule(_) => "deny-rule",
            Self::SharedPort => "shared-port",
            Self::SocketLimit(_) => "socket-limit",
            Self::HandleLimit(_) => "handle-limit",
            Self::ConcurrentLimit(_) => "concurrent-limit",
            Self::ResourceLimit(_) => "resource-limit",
            Self::MemoryLimit(_) => "memory-limit",
            Self::UnixFileLimit(_) => "unix-file-limit",
            Self::NotGranted => "not-granted",
            Self::ParentFolder => "parent-folder",
            Self::SymbolicLink(_) => "symbolic-link",
            Self::Permission => "permission",
            Self::Quota(quota) => quota.label(),
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => f.write_str("no rule allows it"),
            Self::OtherPort(_) => f.write_str("no rule allows this port"),
            Self::Special(class) => {
                write!(f, "{class} addresses need a rule of their own")
            }
            Self::PrivateAddress(name) => {
                write!(
                    f,
                    "{name} resolved to a private address, which its rule does not cover"
                )
            }
            Self::Expired(name) => write!(f, "{name} was looked up too long ago"),
            Self::DenyRule(rule) => write!(f, "the rule {rule} denies it"),
            Self::SharedPort => f.write_str("a shared port needs a rule with exactly this port"),
            Self::SocketLimit(limit) => write!(f, "the limit of sockets is {limit}"),
            Self::HandleLimit(limit) => write!(f, "the limit of handles is {limit}"),
            Self::ConcurrentLimit(limit) => {
                write!(f, "the limit of tasks, streams and futures is {limit}")
            }
            Self::ResourceLimit(limit) => write!(f, "the limit of resources is {limit}"),
            Self::MemoryLimit(limit) => write!(f, "the limit of memory is {} KiB", limit / 1024),
            Self::UnixFileLimit(limit) => {
                write!(f, "the limit of files of Unix sockets is {limit}")
            }
            Self::NotGranted => f.write_str("it is not granted"),
            Self::ParentFolder => f.write_str("no rule covers a path with `..` in it"),
            Self::SymbolicLink(_) => f.write_str("the path is a symbolic link"),
            Self::Permission => f.write_str("the operating system does not permit it"),
            Self::Quota(quota) => quota.fmt(f),
        }
    }
}

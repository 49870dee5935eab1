use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{
    Grants, HostName, HostPattern, ListenRule, Policy, PolicyRule, PortPattern, Rule, Special,
    TcpListenRule, TcpRule, UnixName,
};

/// What a guest wants an address for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Connect to it. The implicit bind of the local side follows from it.
    Connect,
    /// Bind to it, explicitly.
    Bind,
    /// Listen on it: the address asked for, so with port 0 where the system
    /// picks one, and unspecified when the socket was not bound before.
    Listen,
    /// Bind to it although somebody else may have it, who shares it.
    Share,
}

/// The answer to a guest's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allow,
    /// `access-denied`.
    Deny(DenyReason),
}

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
    /// A look-up of this name gave the address, but too long ago.
    Expired(HostName),
    /// This deny rule covers it.
    DenyRule(PolicyRule),
    /// Another process may share the port, and no rule names exactly this port.
    SharedPort,
    /// The guest has this many sockets, which is the limit.
    SocketLimit(usize),
    /// The guest may have this many bytes of memory.
    MemoryLimit(usize),
    /// The operator has not granted it.
    NotGranted,
    /// The path of a Unix socket has `..` in it.
    ParentFolder,
    /// A symbolic link is at the path of a Unix socket. Has the name that the link leads
    /// to, if a rule can cover that.
    SymbolicLink(Option<UnixName>),
    /// The policy permits it, and the operating system does not.
    Permission,
}

impl DenyReason {
    /// A stable label, for logs and metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::OtherPort(_) => "other-port",
            Self::Special(_) => "special-range",
            Self::Expired(_) => "expired",
            Self::DenyRule(_) => "deny-rule",
            Self::SharedPort => "shared-port",
            Self::SocketLimit(_) => "socket-limit",
            Self::MemoryLimit(_) => "memory-limit",
            Self::NotGranted => "not-granted",
            Self::ParentFolder => "parent-folder",
            Self::SymbolicLink(_) => "symbolic-link",
            Self::Permission => "permission",
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
            Self::Expired(name) => write!(f, "{name} was looked up too long ago"),
            Self::DenyRule(rule) => write!(f, "the rule {rule} denies it"),
            Self::SharedPort => f.write_str("a shared port needs a rule with exactly this port"),
            Self::SocketLimit(limit) => write!(f, "the limit of sockets is {limit}"),
            Self::MemoryLimit(limit) => write!(f, "the limit of memory is {} KiB", limit / 1024),
            Self::NotGranted => f.write_str("it is not granted"),
            Self::ParentFolder => f.write_str("no rule covers a path with `..` in it"),
            Self::SymbolicLink(_) => f.write_str("the path is a symbolic link"),
            Self::Permission => f.write_str("the operating system does not permit it"),
        }
    }
}

impl Policy {
    /// Decides about an address. Pure: the outcome depends on nothing else than
    /// what is passed in.
    #[must_use]
    pub fn decide(
        &self,
        usage: Use,
        address: SocketAddr,
        grants: &Grants,
        now: Instant,
    ) -> Decision {
        let ip = address.ip().to_canonical();
        let outcome = match usage {
            Use::Connect => self.connecting(ip, address.port(), grants, now),
            Use::Bind | Use::Listen => self.listening(ip, address.port()),
            Use::Share => self.sharing(ip, address.port()),
        };
        outcome.map_or_else(Decision::Deny, |()| Decision::Allow)
    }

    /// Decides about the look-up of a name.
    #[must_use]
    pub fn decide_lookup(&self, name: &HostName) -> Decision {
        if let Some(rule) = self.deny_resolve.iter().find(|rule| rule.covers(name)) {
            return Decision::Deny(DenyReason::DenyRule(PolicyRule::Resolve(rule.clone())));
        }
        let to_connect = self.allow_connect.iter().map(|rule| &rule.host);
        let to_listen = self.allow_listen.iter().map(|rule| &rule.0.host);
        let allowed = self.allow_resolve.iter().any(|rule| rule.covers(name))
            || to_connect.into_iter().any(|host| host.covers_name(name))
            || (name.is_localhost()
                && to_listen
                    .into_iter()
                    .any(|host| *host != HostPattern::Any && host.covers_name(name)));
        if allowed {
            Decision::Allow
        } else {
            Decision::Deny(DenyReason::NoRule)
        }
    }

    /// Whether the answers to a look-up of `name` are to be recorded.
    #[must_use]
    pub fn grants_by_name(&self, name: &HostName) -> bool {
        let mut hosts = self.allow_connect.iter().chain(&self.deny_connect);
        hosts.any(|rule| rule.host.covers_name(name))
    }

    fn connecting(
        &self,
        ip: IpAddr,
        port: u16,
        grants: &Grants,
        now: Instant,
    ) -> Result<(), DenyReason> {
        let special = Special::of(ip);
        let known = |rule: &TcpRule| {
            grants
                .names(ip, now)
                .any(|(name, _)| rule.host.covers_name(name))
        };
        for rule in &self.deny_connect {
            if rule.port.covers(port) && (contains(&rule.host, ip) || known(rule)) {
                return Err(DenyReason::DenyRule(PolicyRule::Connect(Rule::Tcp(
                    rule.clone(),
                ))));
            }
        }

        let mut reason = DenyReason::NoRule;
        for rule in &self.allow_connect {
            let covered = match &rule.host {
                HostPattern::Any => special.is_none(),
                HostPattern::Address(own) => *own == ip,
                HostPattern::Network(own) => {
                    let whole = special.is_none_or(|(_, range)| range.contains(own));
                    own.contains(&ip) && whole
                }
                HostPattern::Name(_) | HostPattern::Suffix(_) => false,
            };
            match (covered, rule.port.covers(port)) {
                (true, true) => return Ok(()),
                (true, false) => reason = DenyReason::OtherPort(None),
                (false, true) => {
                    if let (Some((class, _)), true) = (special, contains(&rule.host, ip)) {
                        reason = DenyReason::Special(class);
                    }
                }
                (false, false) => {}
            }
        }

        for (name, live) in grants.names(ip, now) {
            for rule in self
                .allow_connect
                .iter()
                .filter(|rule| rule.host != HostPattern::Any && rule.host.covers_name(name))
            {
                let special = special
                    .filter(|(class, _)| !(*class == Special::Loopback && name.is_localhost()));
                match (rule.port.covers(port), live, special) {
                    (true, true, None) => return Ok(()),
                    (true, _, Some((class, _))) => reason = DenyReason::Special(class),
                    (true, false, None) => reason = DenyReason::Expired(name.clone()),
                    (false, ..) => reason = DenyReason::OtherPort(Some(name.clone())),
                }
            }
        }
        Err(reason)
    }

    fn listening(&self, ip: IpAddr, port: u16) -> Result<(), DenyReason> {
        for listen_rule in &self.deny_listen {
            let rule = listen_rule.rule();
            if rule.port.covers(port) && (contains(&rule.host, ip) || is_local(&rule.host, ip)) {
                return Err(DenyReason::DenyRule(PolicyRule::Listen(ListenRule::Tcp(
                    listen_rule.clone(),
                ))));
            }
        }
        let mut reason = DenyReason::NoRule;
        for rule in self.allowed_to_listen(ip) {
            if rule.port.covers(port) {
                return Ok(());
            }
            reason = DenyReason::OtherPort(None);
        }
        Err(reason)
    }

    fn sharing(&self, ip: IpAddr, port: u16) -> Result<(), DenyReason> {
        self.listening(ip, port)?;
        let named = PortPattern::One(port);
        let mut rules = self.allowed_to_listen(ip);
        rules
            .any(|rule| rule.port == named)
            .then_some(())
            .ok_or(DenyReason::SharedPort)
    }

    fn allowed_to_listen(&self, ip: IpAddr) -> impl Iterator<Item = &TcpRule> {
        let rules = self.allow_listen.iter().map(TcpListenRule::rule);
        rules.filter(move |rule| is_local(&rule.host, ip))
    }
}

/// Whether a pattern of a listen rule covers the address.
fn is_local(host: &HostPattern, ip: IpAddr) -> bool {
    match host {
        HostPattern::Network(own) if ip.is_unspecified() => {
            own.contains(&ip) && own.prefix_len() == own.max_prefix_len()
        }
        HostPattern::Name(_) | HostPattern::Suffix(_) => ip.is_loopback(),
        host => contains(host, ip),
    }
}

/// Whether an address pattern contains the address, special or not.
fn contains(host: &HostPattern, ip: IpAddr) -> bool {
    match host {
        HostPattern::Any => true,
        HostPattern::Address(own) => *own == ip,
        HostPattern::Network(own) => own.contains(&ip),
        HostPattern::Name(_) | HostPattern::Suffix(_) => false,
    }
}

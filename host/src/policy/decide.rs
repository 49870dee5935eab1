use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{
    DenyReason, Grants, HostName, HostPattern, ListenRule, Policy, PolicyRule, PortPattern, Rule,
    Special, TcpListenRule, TcpRule, UnixListenRule, UnixName, UnixUse, special,
};

/// The use that a guest wants an address for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Connecting. The implicit bind of the local side follows from it.
    Connect,
    /// An explicit bind.
    Bind,
    /// Listening on the address that the guest asked for: with port 0 if the kernel picks
    /// the port, and unspecified if the socket was not bound before.
    Listen,
    /// Binding to a port that another process may have, which shares it.
    Share,
}

/// The answer to a guest's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The guest may go ahead.
    Allow,
    /// The guest gets `access-denied`.
    Deny(DenyReason),
}

impl Policy {
    /// Decides about an address. Pure: the result depends on the arguments alone.
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
            Use::Connect => self.connecting(ip, address.port(), grants, now).map(drop),
            Use::Bind | Use::Listen => self.listening(ip, address.port()).map(drop),
            Use::Share => self.sharing(ip, address.port()),
        };
        outcome.map_or_else(Decision::Deny, |()| Decision::Allow)
    }

    /// Returns the rule by which [`decide`](Self::decide) allows the use, if it does.
    #[must_use]
    pub fn allowing_rule(
        &self,
        usage: Use,
        address: SocketAddr,
        grants: &Grants,
        now: Instant,
    ) -> Option<PolicyRule> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        match usage {
            Use::Connect => {
                let rule = self.connecting(ip, port, grants, now).ok()?;
                Some(PolicyRule::Connect(Rule::Tcp(rule.clone())))
            }
            Use::Bind | Use::Listen | Use::Share => {
                let rule = self.listening(ip, port).ok()?;
                Some(PolicyRule::Listen(ListenRule::Tcp(rule.clone())))
            }
        }
    }

    /// Returns the rule that allows the use of a Unix socket, if one does.
    #[must_use]
    pub fn allowing_unix_rule(&self, usage: UnixUse, name: &UnixName) -> Option<PolicyRule> {
        match usage {
            UnixUse::Connect => {
                let rule = self.unix.connecting(name).ok()?;
                Some(PolicyRule::Connect(Rule::Unix(rule.clone())))
            }
            UnixUse::Listen => {
                let rule = self.unix.listening(name).ok()?;
                Some(PolicyRule::Listen(ListenRule::Unix(rule.clone())))
            }
        }
    }

    /// Decides about the look-up of a name. `localhost` needs no rule: no resolver is asked,
    /// and connecting or listening is decided about anyway.
    #[must_use]
    pub fn decide_lookup(&self, name: &HostName) -> Decision {
        if let Some(rule) = self.deny_resolve.iter().find(|rule| rule.covers(name)) {
            return Decision::Deny(DenyReason::DenyRule(PolicyRule::Resolve(rule.clone())));
        }
        let to_connect = self.allow_connect.iter().map(|rule| &rule.host);
        let allowed = name.is_localhost()
            || self.allow_resolve.iter().any(|rule| rule.covers(name))
            || to_connect.into_iter().any(|host| host.covers_name(name));
        if allowed {
            Decision::Allow
        } else {
            Decision::Deny(DenyReason::NoRule)
        }
    }

    /// Returns whether the answers to a look-up of `name` have to be recorded.
    #[must_use]
    pub fn grants_by_name(&self, name: &HostName) -> bool {
        let mut hosts = self.allow_connect.iter().chain(&self.deny_connect);
        hosts.any(|rule| rule.host.covers_name(name))
    }

    /// Returns whether a rule for connecting or listening covers this loopback address, on
    /// any port, as one of `localhost`.
    #[must_use]
    pub fn covers_loopback(&self, ip: IpAddr) -> bool {
        let connects = |host: &HostPattern| match host {
            HostPattern::Any => false,
            HostPattern::Name(name) => name.is_localhost(),
            HostPattern::Suffix(suffix) => suffix.is_localhost(),
            host => contains(host, ip),
        };
        let mut listens = self.allow_listen.iter().map(|rule| &rule.0.host);
        self.allow_connect.iter().any(|rule| connects(&rule.host))
            || listens.any(|host| is_local(host, ip))
    }

    /// Decides about connecting to a Unix socket, by its name alone: the file is not
    /// looked at.
    #[must_use]
    pub fn decide_unix_connect(&self, name: &UnixName) -> Decision {
        match self.unix.connecting(name) {
            Ok(_) => Decision::Allow,
            Err(reason) => Decision::Deny(reason),
        }
    }

    /// Decides about binding to the name of a Unix socket and listening there. Returns
    /// the mode for its file, by the first rule that covers it.
    ///
    /// # Errors
    ///
    /// The reason why it is denied.
    pub fn decide_unix_listen(&self, name: &UnixName) -> Result<u32, DenyReason> {
        self.unix.listening(name).map(UnixListenRule::mode)
    }

    fn connecting(
        &self,
        ip: IpAddr,
        port: u16,
        grants: &Grants,
        now: Instant,
    ) -> Result<&TcpRule, DenyReason> {
        let special = grants.special(ip);
        // What a deny rule covers, it covers behind a gateway or a tunnel too.
        let reached = |rule: &TcpRule, ip: IpAddr| {
            let mut names = grants.names(ip, now);
            contains(&rule.host, ip) || names.any(|(name, _)| rule.host.covers_name(name))
        };
        for rule in &self.deny_connect {
            let covers = reached(rule, ip)
                || special::embedded(ip).any(|inner| reached(rule, IpAddr::V4(inner)));
            if rule.port.covers(port) && covers {
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
                (true, true) => return Ok(rule),
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
                let opened = |class: Special| match class {
                    Special::Loopback => name.is_localhost(),
                    class => rule.private && class.is_private_network(),
                };
                let special = special.filter(|(class, _)| !opened(*class));
                match (rule.port.covers(port), live, special) {
                    (true, true, None) => return Ok(rule),
                    (true, true, Some((class, _))) if class.is_private_network() => {
                        reason = DenyReason::PrivateAddress(name.clone());
                    }
                    (true, _, Some((class, _))) => reason = DenyReason::Special(class),
                    (true, false, None) => reason = DenyReason::Expired(name.clone()),
                    (false, ..) => reason = DenyReason::OtherPort(Some(name.clone())),
                }
            }
        }
        Err(reason)
    }

    fn listening(&self, ip: IpAddr, port: u16) -> Result<&TcpListenRule, DenyReason> {
        for listen_rule in &self.deny_listen {
            let rule = listen_rule.rule();
            let covers = contains(&rule.host, ip)
                || is_local(&rule.host, ip)
                || (ip.is_unspecified() && is_on_some_interface(&rule.host, ip));
            if rule.port.covers(port) && covers {
                return Err(DenyReason::DenyRule(PolicyRule::Listen(ListenRule::Tcp(
                    listen_rule.clone(),
                ))));
            }
        }
        let mut reason = DenyReason::NoRule;
        for rule in self.allowed_to_listen(ip) {
            if rule.rule().port.covers(port) {
                return Ok(rule);
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
            .any(|rule| rule.rule().port == named)
            .then_some(())
            .ok_or(DenyReason::SharedPort)
    }

    fn allowed_to_listen(&self, ip: IpAddr) -> impl Iterator<Item = &TcpListenRule> {
        let rules = self.allow_listen.iter();
        rules.filter(move |rule| is_local(&rule.rule().host, ip))
    }
}

/// Returns whether a pattern of a listen rule covers the address.
fn is_local(host: &HostPattern, ip: IpAddr) -> bool {
    match host {
        HostPattern::Network(own) if ip.is_unspecified() => {
            own.contains(&ip) && own.prefix_len() == own.max_prefix_len()
        }
        HostPattern::Name(_) | HostPattern::Suffix(_) => ip.is_loopback(),
        host => contains(host, ip),
    }
}

/// Returns whether a pattern of a deny rule covers an address that a socket bound to `all`
/// receives on. An IPv6 socket of a guest receives IPv6 only.
fn is_on_some_interface(host: &HostPattern, all: IpAddr) -> bool {
    match host {
        HostPattern::Address(own) => own.is_ipv4() == all.is_ipv4(),
        HostPattern::Network(own) => own.addr().is_ipv4() == all.is_ipv4(),
        HostPattern::Any | HostPattern::Name(_) | HostPattern::Suffix(_) => true,
    }
}

/// Returns whether an address pattern contains the address, special or not.
fn contains(host: &HostPattern, ip: IpAddr) -> bool {
    match host {
        HostPattern::Any => true,
        HostPattern::Address(own) => *own == ip,
        HostPattern::Network(own) => own.contains(&ip),
        HostPattern::Name(_) | HostPattern::Suffix(_) => false,
    }
}

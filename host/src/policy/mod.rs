//! The rules for addresses, Unix sockets and names that a guest may use: default deny,
//! pure, and without I/O.
//!
//! # Order of evaluation
//!
//! 1. Deny rules: the first that covers the address (or a name that gave it)
//!    decides.
//! 2. Allow rules written as addresses.
//! 3. Allow rules written as names, for addresses that a look-up by this guest
//!    gave within the last [`GRANT_LIFETIME`].
//! 4. Otherwise: denied, with the most telling [`DenyReason`].
//!
//! # What a rule covers
//!
//! | host | connecting | looking up | listening |
//! |---|---|---|---|
//! | `127.0.0.1`, `[::1]` | this address, special or not | | this address |
//! | `10.0.0.0/8`, `[fd00::/8]` | its addresses; special ones only if the range lies within theirs | | its addresses, not the unspecified one |
//! | `example.com` | what it resolved to, special addresses excepted | the name | |
//! | `example.com`, with `?private` | what it resolved to, private addresses included | the name | |
//! | `localhost` | loopback addresses it resolved to | the name | loopback |
//! | `*.example.com` | the same for each name below | each name below | |
//! | `*` | every address outside the [special ranges](Special) | every name | every local address |
//!
//! An IPv4-mapped IPv6 address is its IPv4 address. The address of a cloud's
//! metadata service needs a rule with that very address. A deny rule also covers IPv6
//! addresses that carry an IPv4 address it covers (NAT64, 6to4, ISATAP, Teredo and more).
//! A listen rule that denies an address denies all interfaces of its family.
//!
//! A connect rule allows the implicit bind of a connection too. A listen rule allows
//! accepting too. An explicit bind needs a listen rule. A bind to port 0 needs port `0` or
//! `*`; then the guest can listen on the port that the kernel picks. Listening on a
//! socket that was not bound needs a rule for the unspecified address (`0.0.0.0`, `[::]`)
//! with port `0`, or `*`.
//!
//! # Unix sockets
//!
//! | rule | covers |
//! |---|---|
//! | `unix:///run/db.sock` | this path |
//! | `unix:///run/app/*.sock` | paths in this folder, not below it |
//! | `unix:///run/app/*.sock?mode=0660` | the same for listening; files are made with this mode, and with [`DEFAULT_MODE`] where none is given |
//! | `unix://@app`, `unix://@app-*` | names of Linux' abstract namespace |
//!
//! `*` stands for any bytes, or none; in a path, only in its last part. `%XX` is a
//! byte. Deny rules come first. The first allow rule that covers a path sets the mode.
//!
//! Rules and paths are compared as they are written, without `.` and doubled `/`. No
//! rule covers a path with `..` in it. So a socket has several paths where folders are
//! symbolic links, and each path needs a rule, to allow or to deny it. The path itself
//! may not be a symbolic link: the code that opens it checks that.
//!
//! # Sharing
//!
//! Sharing a port that another process may have (SO_REUSEPORT) needs a listen rule with
//! exactly this port: a range or `*` was not written with the other process in mind.

mod decide;
mod deny_reason;
mod grants;
mod local;
mod name;
mod parse;
mod rule;
mod rule_problem;
mod shared;
mod special;
mod tcp;
#[cfg(test)]
mod tests;
mod unix;

use std::path::Path;

pub use decide::{Decision, Use};
pub use deny_reason::DenyReason;
pub use grants::{GRANT_LIFETIME, Grants};
pub use local::LocalNetworks;
pub use name::{HostName, InvalidName, Target};
pub use parse::{ADDRESS_GRAMMAR, NAME_GRAMMAR, ParseRuleError};
pub use rule::{ListenRule, NamePattern, PolicyRule, Rule};
pub use rule_problem::RuleProblem;
pub use shared::SharedPolicy;
pub use special::Special;
pub use tcp::{HostPattern, PortPattern, TcpListenRule, TcpRule};

use unix::UnixRules;
pub use unix::{
    DEFAULT_MODE, InvalidUnixName, MAX_UNIX_NAME, UNIX_GRAMMAR, UnixListenRule, UnixName, UnixRule,
    UnixUse,
};

/// The rules for one guest. Without rules, nothing is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    allow_connect: Vec<TcpRule>,
    deny_connect: Vec<TcpRule>,
    allow_listen: Vec<TcpListenRule>,
    deny_listen: Vec<TcpListenRule>,
    allow_resolve: Vec<NamePattern>,
    deny_resolve: Vec<NamePattern>,
    unix: UnixRules,
}

impl Policy {
    /// Returns a policy that allows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the operation of the rule.
    pub fn allow(&mut self, rule: PolicyRule) -> &mut Self {
        match rule {
            PolicyRule::Connect(rule) => self.allow_connect(rule),
            PolicyRule::Listen(rule) => self.allow_listen(rule),
            PolicyRule::Resolve(pattern) => self.allow_resolve(pattern),
        }
    }

    /// Denies the operation of the rule, even if another rule allows it.
    pub fn deny(&mut self, rule: PolicyRule) -> &mut Self {
        match rule {
            PolicyRule::Connect(rule) => self.deny_connect(rule),
            PolicyRule::Listen(rule) => self.deny_listen(rule),
            PolicyRule::Resolve(pattern) => self.deny_resolve(pattern),
        }
    }

    /// Allows connecting, and for a rule with a name, looking it up.
    pub fn allow_connect(&mut self, rule: Rule) -> &mut Self {
        match rule {
            Rule::Tcp(rule) => self.allow_connect.push(rule),
            Rule::Unix(rule) => self.unix.allow_connect.push(rule),
        }
        self
    }

    /// Denies connecting, even if another rule allows it. A name denies the addresses that
    /// the guest has looked up by it; it does not deny the look-up.
    pub fn deny_connect(&mut self, rule: Rule) -> &mut Self {
        match rule {
            Rule::Tcp(rule) => self.deny_connect.push(rule),
            Rule::Unix(rule) => self.unix.deny_connect.push(rule),
        }
        self
    }

    /// Returns each rule that denies connecting to a name, with a rule that opens addresses of
    /// that name to a program which does not look it up.
    #[must_use]
    pub fn bypassed_denials(&self) -> Vec<(&TcpRule, &TcpRule)> {
        let by_name =
            |rule: &&TcpRule| matches!(rule.host, HostPattern::Name(_) | HostPattern::Suffix(_));
        let denials = self.deny_connect.iter().filter(by_name);
        let bypassed = denials.filter_map(|denied| {
            let mut rules = self.allow_connect.iter();
            let open = |rule: &&TcpRule| {
                !by_name(rule)
                    && rule.port.overlaps(denied.port)
                    && (!denied.host.is_localhost() || rule.host.opens_loopback())
            };
            rules.find(open).map(|allowed| (denied, allowed))
        });
        bypassed.collect()
    }

    /// Returns the folders in which rules allow Unix sockets to be made.
    pub fn socket_folders(&self) -> impl Iterator<Item = &Path> {
        let rules = self.unix.allow_listen.iter();
        rules.filter_map(|rule| rule.rule().folder())
    }

    /// Allows binding, listening and accepting.
    pub fn allow_listen(&mut self, rule: ListenRule) -> &mut Self {
        match rule {
            ListenRule::Tcp(rule) => self.allow_listen.push(rule),
            ListenRule::Unix(rule) => self.unix.allow_listen.push(rule),
        }
        self
    }

    /// Denies binding and listening, even if another rule allows it.
    pub fn deny_listen(&mut self, rule: ListenRule) -> &mut Self {
        match rule {
            ListenRule::Tcp(rule) => self.deny_listen.push(rule),
            ListenRule::Unix(rule) => self.unix.deny_listen.push(rule),
        }
        self
    }

    /// Allows looking names up, without connecting to what they resolve to.
    pub fn allow_resolve(&mut self, pattern: NamePattern) -> &mut Self {
        self.allow_resolve.push(pattern);
        self
    }

    /// Denies looking names up, even if another rule allows it.
    pub fn deny_resolve(&mut self, pattern: NamePattern) -> &mut Self {
        self.deny_resolve.push(pattern);
        self
    }
}

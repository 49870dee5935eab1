use std::fmt;

use asyncio_streams_host::policy::{
    ADDRESS_GRAMMAR, ListenRule, NAME_GRAMMAR, NamePattern, Policy, PolicyRule, Rule, UNIX_GRAMMAR,
};
use clap::Args;

use crate::policy::{Origin, Setting};

/// The rules for sockets and names. Without them, the program gets none.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Permissions (default: none)")]
pub(crate) struct PermissionArgs {
    /// Allow connecting to what RULE covers; a rule with a name also allows looking that name
    /// up
    #[arg(long, value_name = "RULE")]
    allow_connect: Vec<Rule>,

    /// Allow binding to and listening on what RULE covers, and accepting connections there
    #[arg(long, value_name = "RULE")]
    allow_listen: Vec<ListenRule>,

    /// Allow looking up the names that NAME covers, without connecting to their addresses
    #[arg(long, value_name = "NAME")]
    allow_resolve: Vec<NamePattern>,

    /// Deny connecting to what RULE covers, even if another rule allows it
    #[arg(long, value_name = "RULE")]
    deny_connect: Vec<Rule>,

    /// Deny binding to and listening on what RULE covers, even if another rule allows it
    #[arg(long, value_name = "RULE")]
    deny_listen: Vec<ListenRule>,

    /// Deny looking up the names that NAME covers, even if another rule allows it
    #[arg(long, value_name = "NAME")]
    deny_resolve: Vec<NamePattern>,

    /// Let the system's resolver add its search domains to names, as to `redis` in a cluster: a rule
    /// for a name then covers what the search finds
    #[arg(long)]
    search_domains: bool,

    /// Give the program the listening sockets that this process inherited, by their names, as
    /// systemd passes them in LISTEN_FDS and LISTEN_FDNAMES; they need no rule
    #[arg(long)]
    listen_fds: bool,

    /// With --listen-fds, take the sockets of LISTEN_FDS even without LISTEN_PID, which says whose
    /// they are. For starters that cannot set it; without LISTEN_FDS it changes nothing
    #[arg(long)]
    listen_fds_any_process: bool,

    /// The rules of policy files.
    #[arg(skip)]
    from_files: Vec<SourcedRule>,
}

/// A rule, and where the operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourcedRule {
    /// True if it allows, false if it denies.
    pub(crate) allow: bool,
    /// The rule.
    pub(crate) rule: PolicyRule,
    /// Its place in a policy file, or `None` for the command line.
    pub(crate) origin: Option<Origin>,
}

impl PermissionArgs {
    pub(crate) fn listen_fds(&self) -> bool {
        self.listen_fds
    }

    /// Returns true if names are looked up with search domains.
    pub(crate) fn search_domains(&self) -> bool {
        self.search_domains
    }

    /// Returns true if the inherited sockets may be for any process.
    pub(crate) fn any_process(&self) -> bool {
        self.listen_fds_any_process
    }

    /// Returns true if the option's values are rules.
    pub(crate) fn has_rules_of(option: &str) -> bool {
        ["connect", "listen", "resolve"].iter().any(|operation| {
            ["allow-", "deny-"]
                .iter()
                .any(|action| option.strip_prefix(action) == Some(operation))
        })
    }

    /// Adds a setting of a policy file. Returns false if it is none of these options.
    pub(crate) fn apply(&mut self, setting: &Setting) -> anyhow::Result<bool> {
        let Setting {
            option,
            value,
            origin,
        } = setting;
        if *option == "listen-fds" {
            self.listen_fds = self.listen_fds || value == "true";
            return Ok(true);
        }
        if *option == "search-domains" {
            self.search_domains = self.search_domains || value == "true";
            return Ok(true);
        }
        if *option == "listen-fds-any-process" {
            self.listen_fds_any_process = self.listen_fds_any_process || value == "true";
            return Ok(true);
        }
        let (allow, rule) = match *option {
            "allow-connect" => (true, PolicyRule::Connect(setting.parse()?)),
            "deny-connect" => (false, PolicyRule::Connect(setting.parse()?)),
            "allow-listen" => (true, PolicyRule::Listen(setting.parse()?)),
            "deny-listen" => (false, PolicyRule::Listen(setting.parse()?)),
            "allow-resolve" => (true, PolicyRule::Resolve(setting.parse()?)),
            "deny-resolve" => (false, PolicyRule::Resolve(setting.parse()?)),
            _ => return Ok(false),
        };
        self.from_files.push(SourcedRule {
            allow,
            rule,
            origin: Some(origin.clone()),
        });
        Ok(true)
    }

    /// Returns the rules of the command line, then those of the policy files.
    pub(crate) fn rules(&self) -> Vec<SourcedRule> {
        fn given<T: Clone>(
            allow: bool,
            rules: &[T],
            rule: fn(T) -> PolicyRule,
        ) -> impl Iterator<Item = SourcedRule> {
            rules.iter().cloned().map(move |own| SourcedRule {
                allow,
                rule: rule(own),
                origin: None,
            })
        }
        given(true, &self.allow_connect, PolicyRule::Connect)
            .chain(given(true, &self.allow_listen, PolicyRule::Listen))
            .chain(given(true, &self.allow_resolve, PolicyRule::Resolve))
            .chain(given(false, &self.deny_connect, PolicyRule::Connect))
            .chain(given(false, &self.deny_listen, PolicyRule::Listen))
            .chain(given(false, &self.deny_resolve, PolicyRule::Resolve))
            .chain(self.from_files.iter().cloned())
            .collect()
    }

    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        for rule in self.rules() {
            rule.add_to(&mut policy);
        }
        policy
    }
}

impl SourcedRule {
    /// Returns a policy of this rule alone.
    pub(crate) fn alone(&self) -> Policy {
        let mut policy = Policy::new();
        self.add_to(&mut policy);
        policy
    }

    fn add_to(&self, policy: &mut Policy) {
        let rule = self.rule.clone();
        match self.allow {
            true => policy.allow(rule),
            false => policy.deny(rule),
        };
    }
}

impl fmt::Display for SourcedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = if self.allow { "allow" } else { "deny" };
        let (operation, rule) = (self.rule.operation(), &self.rule);
        write!(f, "{action}-{operation} {rule}")?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => f.write_str(" (command line)"),
        }
    }
}

/// The grammar of rules, for `--help`.
pub(crate) fn grammar() -> String {
    format!(
        "\
Rules (each option may be given any number of times):
  RULE is {ADDRESS_GRAMMAR},
  or {UNIX_GRAMMAR}.
  NAME is {NAME_GRAMMAR}.

  tcp://127.0.0.1:8888          one address and port
  tcp://127.0.0.1:0             listen on a port that the system picks
  tcp://[::1]:8000-8999         a range of ports
  tcp://10.0.0.0/8:*            a range of addresses, every port
  tcp://localhost:8888          the loopback addresses
  tcp://example.com:443         the addresses that the name resolves to, and its look-up
  tcp://redis:6379?private      the same, private addresses included
  tcp://*.example.com:443       the same for each name below it
  tcp://*:443                   every public address; to listen, every local address
  unix:///run/db.sock           one Unix socket
  unix:///run/app/*.sock?mode=0660
                                the Unix sockets of a folder; files created to listen on have
                                this mode, or else 0600
  unix://@app                   an abstract name, on Linux

  Loopback, private, link-local and other special addresses need a rule with the address, or
  with a range inside theirs. Names do not cover them (except localhost, or with
  ?private), nor does *.
  To listen on 0.0.0.0 or [::], a rule has to name exactly that, or *.
  A path is compared as the program writes it, and never with `..` in it. The file at the path
  may not be a symbolic link; its folders may be.
"
    )
}

use asyncio_streams_host::policy::{
    ADDRESS_GRAMMAR, ListenRule, NAME_GRAMMAR, NamePattern, Policy, Rule, UNIX_GRAMMAR,
};
use clap::Args;

/// The rules for sockets and names. Without them, the program gets none.
#[derive(Debug, Args)]
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

    /// Give the program the listening sockets that this process inherited, by their names, as
    /// systemd passes them in LISTEN_FDS and LISTEN_FDNAMES; they need no rule
    #[arg(long)]
    listen_fds: bool,
}

impl PermissionArgs {
    pub(crate) fn listen_fds(&self) -> bool {
        self.listen_fds
    }

    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        for rule in &self.allow_connect {
            policy.allow_connect(rule.clone());
        }
        for rule in &self.allow_listen {
            policy.allow_listen(rule.clone());
        }
        for pattern in &self.allow_resolve {
            policy.allow_resolve(pattern.clone());
        }
        for rule in &self.deny_connect {
            policy.deny_connect(rule.clone());
        }
        for rule in &self.deny_listen {
            policy.deny_listen(rule.clone());
        }
        for pattern in &self.deny_resolve {
            policy.deny_resolve(pattern.clone());
        }
        policy
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
  tcp://*.example.com:443       the same for each name below it
  tcp://*:443                   every public address; to listen, every local address
  unix:///run/db.sock           one Unix socket
  unix:///run/app/*.sock?mode=0660
                                the Unix sockets of a folder; files created to listen on have
                                this mode, or else 0600
  unix://@app                   an abstract name, on Linux

  Loopback, private, link-local and other special addresses need a rule with the address, or
  with a range inside theirs. Names do not cover them (except localhost), nor does *.
  To listen on 0.0.0.0 or [::], a rule has to name exactly that, or *.
  A path is compared as the program writes it, and never with `..` in it. The file at the path
  may not be a symbolic link; its folders may be.
"
    )
}

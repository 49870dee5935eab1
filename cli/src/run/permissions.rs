use asyncio_streams_host::policy::{
    ADDRESS_GRAMMAR, ListenRule, NAME_GRAMMAR, NamePattern, Policy, Rule, UNIX_GRAMMAR,
};
use clap::Args;

/// What the program may do with sockets; without any of these: nothing.
#[derive(Debug, Args)]
#[command(next_help_heading = "Grants (default: nothing is allowed)")]
pub(crate) struct Grants {
    /// Allow connecting; a rule with a name allows looking it up as well
    #[arg(long, value_name = "RULE")]
    allow_connect: Vec<Rule>,

    /// Allow binding, listening and accepting
    #[arg(long, value_name = "RULE")]
    allow_listen: Vec<ListenRule>,

    /// Allow looking up a name, without connecting to what it resolves to
    #[arg(long, value_name = "NAME")]
    allow_resolve: Vec<NamePattern>,

    /// Deny connecting, whatever allows it
    #[arg(long, value_name = "RULE")]
    deny_connect: Vec<Rule>,

    /// Deny binding and listening, whatever allows it
    #[arg(long, value_name = "RULE")]
    deny_listen: Vec<ListenRule>,

    /// Deny looking up a name, whatever allows it
    #[arg(long, value_name = "NAME")]
    deny_resolve: Vec<NamePattern>,

    /// Hand the program the listening sockets that this process was started with, by their
    /// names (systemd's LISTEN_FDS and LISTEN_FDNAMES); they need no rule
    #[arg(long)]
    listen_fds: bool,
}

impl Grants {
    pub(crate) fn listen_fds(&self) -> bool {
        self.listen_fds
    }

    pub(crate) fn policy(self) -> Policy {
        let mut policy = Policy::new();
        for rule in self.allow_connect {
            policy.allow_connect(rule);
        }
        for rule in self.allow_listen {
            policy.allow_listen(rule);
        }
        for pattern in self.allow_resolve {
            policy.allow_resolve(pattern);
        }
        for rule in self.deny_connect {
            policy.deny_connect(rule);
        }
        for rule in self.deny_listen {
            policy.deny_listen(rule);
        }
        for pattern in self.deny_resolve {
            policy.deny_resolve(pattern);
        }
        policy
    }
}

/// The grammar, for `--help`.
pub(crate) fn help() -> String {
    format!(
        "\
Rules:
  RULE is {ADDRESS_GRAMMAR},
  or {UNIX_GRAMMAR}.
  NAME is {NAME_GRAMMAR}.

  tcp://127.0.0.1:8888          one address and port
  tcp://127.0.0.1:0             listen on a port that the system picks
  tcp://[::1]:8000-8999         a range of ports
  tcp://10.0.0.0/8:*            a range of addresses, every port
  tcp://localhost:8888          the loopback addresses
  tcp://example.com:443         what the name resolves to, and its look-up
  tcp://*.example.com:443       the same for each name below it
  tcp://*:443                   every public address, or every local one to listen on
  unix:///run/db.sock           one Unix socket
  unix:///run/app/*.sock?mode=0660
                                those of a folder; files made to listen on have this mode,
                                else 0600
  unix://@app                   an abstract name, on Linux

  Loopback, private, link-local and other special addresses are not covered by names
  (but localhost), by * or by ranges around them: they need a rule of their own.
  Listening on 0.0.0.0 or [::] needs a rule with exactly that, or *.
  A path is the very one that the program uses, without `..`. What is there may not be a
  symbolic link; its folder may.
  Deny rules win over allow rules.
"
    )
}

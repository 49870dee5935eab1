use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, bail};
use asyncio_streams_host::policy::{
    Decision, DenyReason, Grants, HostName, Policy, PolicyRule, UnixName, Use,
};
use asyncio_streams_host::{Denial, Request};
use clap::Args;

use super::PolicyFileArgs;
use crate::remedy;
use crate::run::{PermissionArgs, SourcedRule};

/// Explain if a request of a program would be allowed, and by which rule
///
/// REQUEST is tcp://ADDRESS:PORT, unix:///PATH, unix://@NAME, or a host name to look up. The
/// exit code is 0 if the request is allowed, and 1 if it is denied.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The request
    #[arg(value_name = "REQUEST")]
    request: String,

    /// Ask about binding and listening, not about connecting
    #[arg(long)]
    listen: bool,

    /// Answer as if the program had just looked up NAME, and the answer was the address
    #[arg(long, value_name = "NAME", conflicts_with = "listen")]
    name: Option<HostName>,

    #[command(flatten)]
    files: PolicyFileArgs,

    #[command(flatten)]
    permissions: PermissionArgs,
}

/// A request together with what was looked up before it.
struct Question {
    request: Request,
    grants: Grants,
    now: Instant,
}

impl ExplainArgs {
    pub(crate) fn execute(mut self) -> anyhow::Result<u8> {
        for setting in self.files.settings()? {
            self.permissions.apply(&setting)?;
        }
        let policy = self.permissions.policy();
        let rules = &self.permissions.rules()[..];
        let question = self.question()?;
        Ok(match question.answer(&policy) {
            Decision::Allow => {
                let by = question.allowed_by(rules);
                println!("allowed: {}{by}", question.request);
                0
            }
            Decision::Deny(reason) => {
                let place = match &reason {
                    DenyReason::DenyRule(rule) => place(rules, rule),
                    _ => String::new(),
                };
                let request = question.request;
                let denial = Denial { request, reason };
                let remedy = remedy::of_denial(&denial);
                let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
                println!("{denial}{place}{remedy}");
                1
            }
        })
    }

    fn question(&self) -> anyhow::Result<Question> {
        let now = Instant::now();
        let mut grants = Grants::default();
        let text = self.request.as_str();
        let request = if let Some(address) = text.strip_prefix("tcp://") {
            let address: SocketAddr = address.parse().with_context(|| {
                format!(
                    "`{text}` is not tcp://ADDRESS:PORT; for a host name, give an address that it \
                     resolves to, with --name"
                )
            })?;
            if let Some(name) = &self.name {
                grants.record(name, &[address.ip()], now);
            }
            match self.listen {
                true => Request::Listen(address),
                false => Request::Connect(address),
            }
        } else if let Some(name) = text.strip_prefix("unix://") {
            let name = match name.strip_prefix('@') {
                Some(name) => UnixName::abstract_name(name.as_bytes()),
                None => UnixName::path(name.as_bytes()),
            };
            let name = name.with_context(|| format!("`{text}` is no Unix socket"))?;
            match self.listen {
                true => Request::ListenUnix(name),
                false => Request::ConnectUnix(name),
            }
        } else {
            if self.listen {
                bail!("a program listens on an address: give tcp://ADDRESS:PORT or unix:///PATH");
            }
            let name = text.parse::<HostName>();
            Request::Lookup(name.with_context(|| {
                format!("`{text}` is neither tcp://ADDRESS:PORT, unix:///PATH nor a host name")
            })?)
        };
        Ok(Question {
            request,
            grants,
            now,
        })
    }
}

impl Question {
    fn answer(&self, policy: &Policy) -> Decision {
        let decide =
            |usage, address: SocketAddr| policy.decide(usage, address, &self.grants, self.now);
        match &self.request {
            Request::Connect(address) => decide(Use::Connect, *address),
            Request::Listen(address) => decide(Use::Listen, *address),
            Request::Lookup(name) => policy.decide_lookup(name),
            Request::ConnectUnix(name) => policy.decide_unix_connect(name),
            Request::ListenUnix(name) => match policy.decide_unix_listen(name) {
                Ok(_) => Decision::Allow,
                Err(reason) => Decision::Deny(reason),
            },
            _ => Decision::Deny(DenyReason::NotGranted),
        }
    }

    /// Names the first rule that allows the request by itself.
    fn allowed_by(&self, rules: &[SourcedRule]) -> String {
        let allows = |sourced: &&SourcedRule| {
            sourced.allow && self.answer(&sourced.alone()) == Decision::Allow
        };
        rules
            .iter()
            .find(allows)
            .map_or_else(String::new, |rule| format!(": {rule}"))
    }
}

/// Names the place of a rule that denies.
fn place(rules: &[SourcedRule], denied: &PolicyRule) -> String {
    rules
        .iter()
        .find(|sourced| !sourced.allow && sourced.rule == *denied)
        .and_then(|sourced| sourced.origin.as_ref())
        .map_or_else(String::new, |origin| format!(" ({origin})"))
}

use super::super::{Decision, DenyReason, ListenRule, Policy, PolicyRule, Rule};
use super::{UnixListenRule, UnixName, UnixRule};

/// What a guest wants the name of a Unix socket for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnixUse {
    /// Connect to it.
    Connect,
    /// Bind to it and listen on it.
    Listen,
}

/// The rules for Unix sockets of one guest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct UnixRules {
    pub(in super::super) allow_connect: Vec<UnixRule>,
    pub(in super::super) deny_connect: Vec<UnixRule>,
    pub(in super::super) allow_listen: Vec<UnixListenRule>,
    pub(in super::super) deny_listen: Vec<UnixListenRule>,
}

impl Policy {
    /// Decides about connecting to a Unix socket, by its name alone: what is there
    /// is not looked at.
    #[must_use]
    pub fn decide_unix_connect(&self, name: &UnixName) -> Decision {
        match self.unix_connecting(name) {
            Ok(()) => Decision::Allow,
            Err(reason) => Decision::Deny(reason),
        }
    }

    /// Decides about binding to the name of a Unix socket and listening there: the
    /// mode that its file is to have, by the first rule that covers it.
    ///
    /// # Errors
    ///
    /// The reason why it is denied.
    pub fn decide_unix_listen(&self, name: &UnixName) -> Result<u32, DenyReason> {
        let rules = &self.unix;
        plain(name)?;
        if let Some(rule) = rules.deny_listen.iter().find(|rule| rule.rule.covers(name)) {
            let rule = PolicyRule::Listen(ListenRule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let allowed = rules
            .allow_listen
            .iter()
            .find(|rule| rule.rule.covers(name));
        allowed.map(UnixListenRule::mode).ok_or(DenyReason::NoRule)
    }

    fn unix_connecting(&self, name: &UnixName) -> Result<(), DenyReason> {
        let rules = &self.unix;
        plain(name)?;
        if let Some(rule) = rules.deny_connect.iter().find(|rule| rule.covers(name)) {
            let rule = PolicyRule::Connect(Rule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let allowed = rules.allow_connect.iter().any(|rule| rule.covers(name));
        allowed.then_some(()).ok_or(DenyReason::NoRule)
    }
}

/// Where `..` leads depends on links, so that no rule means a path with it.
fn plain(name: &UnixName) -> Result<(), DenyReason> {
    match name.has_parent_folder() {
        true => Err(DenyReason::ParentFolder),
        false => Ok(()),
    }
}

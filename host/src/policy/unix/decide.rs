use super::super::deny_reason::DenyReason;
use super::super::rule::{ListenRule, PolicyRule, Rule};
use super::{UnixListenRule, UnixName, UnixRule};

/// The use that a guest wants the name of a Unix socket for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnixUse {
    /// Connecting.
    Connect,
    /// Binding and listening.
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

impl UnixRules {
    /// Returns the rule that allows connecting.
    pub(in super::super) fn connecting(&self, name: &UnixName) -> Result<&UnixRule, DenyReason> {
        plain(name)?;
        if let Some(rule) = self.deny_connect.iter().find(|rule| rule.covers(name)) {
            let rule = PolicyRule::Connect(Rule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let mut allowed = self.allow_connect.iter();
        allowed
            .find(|rule| rule.covers(name))
            .ok_or(DenyReason::NoRule)
    }

    /// Returns the rule that allows listening.
    pub(in super::super) fn listening(
        &self,
        name: &UnixName,
    ) -> Result<&UnixListenRule, DenyReason> {
        plain(name)?;
        if let Some(rule) = self.deny_listen.iter().find(|rule| rule.rule.covers(name)) {
            let rule = PolicyRule::Listen(ListenRule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let mut allowed = self.allow_listen.iter();
        allowed
            .find(|rule| rule.rule.covers(name))
            .ok_or(DenyReason::NoRule)
    }
}

/// Denies a path with `..`: it leads to different places depending on links, so no rule
/// can mean it.
fn plain(name: &UnixName) -> Result<(), DenyReason> {
    match name.has_parent_folder() {
        true => Err(DenyReason::ParentFolder),
        false => Ok(()),
    }
}

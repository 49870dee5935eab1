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
    pub(in super::super) fn decide_connect(&self, name: &UnixName) -> Result<(), DenyReason> {
        plain(name)?;
        if let Some(rule) = self.deny_connect.iter().find(|rule| rule.covers(name)) {
            let rule = PolicyRule::Connect(Rule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let allowed = self.allow_connect.iter().any(|rule| rule.covers(name));
        allowed.then_some(()).ok_or(DenyReason::NoRule)
    }

    pub(in super::super) fn decide_listen(&self, name: &UnixName) -> Result<u32, DenyReason> {
        plain(name)?;
        if let Some(rule) = self.deny_listen.iter().find(|rule| rule.rule.covers(name)) {
            let rule = PolicyRule::Listen(ListenRule::Unix(rule.clone()));
            return Err(DenyReason::DenyRule(rule));
        }
        let allowed = self.allow_listen.iter().find(|rule| rule.rule.covers(name));
        allowed.map(UnixListenRule::mode).ok_or(DenyReason::NoRule)
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

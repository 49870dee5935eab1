use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Glob, UnixName, escaped};

/// The mode of a socket's file by default: only the user that runs the host can connect.
pub const DEFAULT_MODE: u32 = 0o600;

/// A rule for Unix sockets: `unix:///PATH`, `unix://@NAME`.
///
/// Rules are made by parsing. [`Display`](fmt::Display) writes the canonical form, which
/// parses to the same rule again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnixRule(pub(super) UnixPattern);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum UnixPattern {
    /// Files of one folder, whose path has no `/` at its end.
    Path { folder: Vec<u8>, last: Glob },
    /// Names of the abstract namespace.
    Abstract(Glob),
}

/// A rule for listening on Unix sockets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnixListenRule {
    pub(super) rule: UnixRule,
    pub(super) mode: u32,
}

impl UnixRule {
    /// Returns whether the rule covers this name, as it is written. Where folders are
    /// symbolic links, one socket has several names.
    #[must_use]
    pub fn covers(&self, name: &UnixName) -> bool {
        match &self.0 {
            UnixPattern::Path { folder, last } => name
                .split()
                .is_some_and(|(own, name)| own == folder && last.covers(name)),
            UnixPattern::Abstract(pattern) => {
                name.as_abstract().is_some_and(|name| pattern.covers(name))
            }
        }
    }
}

impl UnixRule {
    /// Returns the folder of the rule's files; `None` for abstract names.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.0 {
            UnixPattern::Path { folder, .. } if folder.is_empty() => Some(Path::new("/")),
            UnixPattern::Path { folder, .. } => Some(Path::new(OsStr::from_bytes(folder))),
            UnixPattern::Abstract(_) => None,
        }
    }
}

impl UnixListenRule {
    /// Returns the rule for the names.
    #[must_use]
    pub fn rule(&self) -> &UnixRule {
        &self.rule
    }

    /// Returns the mode of the files that are made.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode
    }
}

impl fmt::Display for UnixRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unix://")?;
        match &self.0 {
            UnixPattern::Path { folder, last } => {
                escaped(folder, f)?;
                write!(f, "/{last}")
            }
            UnixPattern::Abstract(pattern) => write!(f, "@{pattern}"),
        }
    }
}

impl fmt::Display for UnixListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)?;
        match self.mode {
            DEFAULT_MODE => Ok(()),
            mode => write!(f, "?mode={mode:04o}"),
        }
    }
}

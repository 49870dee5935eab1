//! Unix sockets: names, rules, and decisions by them.

mod decide;
mod glob;
mod name;
mod parse;
mod rule;
#[cfg(test)]
mod tests;

pub(super) use decide::UnixRules;
pub use decide::UnixUse;
use glob::Glob;
use name::escaped;
pub use name::{InvalidUnixName, MAX_UNIX_NAME, UnixName};
pub use parse::UNIX_GRAMMAR;
pub(super) use parse::{parse_connect, parse_listen};
pub use rule::{DEFAULT_MODE, UnixListenRule, UnixRule};

//! SIGHUP: files that are read again.

use asyncio_streams_host::policy::SharedPolicy;
use asyncio_streams_host::tls::Tls;

use super::{PermissionArgs, RunArgs, metrics, report_bypassed, tls};
use crate::log;
use crate::policy::{PolicyFileArgs, Setting};
use crate::report::report;

/// The files that SIGHUP has read again, or opened anew.
pub(super) struct Reload {
    pub(super) tls: Option<Tls>,
    pub(super) policy: Option<PolicyReload>,
}

/// The policy files, and the policy that is made of them.
pub(super) struct PolicyReload {
    pub(super) files: PolicyFileArgs,
    /// The permissions of the command line alone.
    pub(super) command_line: PermissionArgs,
    pub(super) policy: SharedPolicy,
    /// The settings that the files had when they were read last.
    pub(super) settings: Vec<Setting>,
}

impl Reload {
    /// Reads everything again. What cannot be read stays as it was.
    pub(super) fn run(&mut self) {
        metrics::reloading(|| {
            log::reopen();
            if let Some(tls) = &self.tls {
                tls::reload(tls);
            }
            if let Some(policy) = &mut self.policy {
                policy.run();
            }
        });
    }
}

impl PolicyReload {
    fn run(&mut self) {
        if let Err(error) = self.read() {
            report(format_args!(
                "{error:#}; the previous policy stays in force"
            ));
        }
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let settings = self.files.settings()?;
        // Checks those that take effect at the next start, too.
        RunArgs::without_program().apply(&settings, |_| false)?;
        let mut permissions = self.command_line.clone();
        for setting in &settings {
            permissions.apply(setting)?;
        }
        let policy = permissions.policy();
        report_bypassed(&policy);
        self.policy.replace(policy);
        let changes = changes(&self.settings, &settings);
        self.settings = settings;
        match changes.is_empty() {
            true => report(format_args!(
                "policy files were read again: nothing changed"
            )),
            false => report(format_args!(
                "policy files were read again: {}",
                changes.join("; ")
            )),
        }
        Ok(())
    }
}

/// Says what is new and what is gone, each with its place.
fn changes(old: &[Setting], new: &[Setting]) -> Vec<String> {
    let missing_in = |others: &[Setting], setting: &Setting| {
        !others
            .iter()
            .any(|other| (other.option, &other.value) == (setting.option, &setting.value))
    };
    let describe = |verb: &str, setting: &Setting| {
        let Setting {
            option,
            value,
            origin,
        } = setting;
        let later = match PermissionArgs::has_rules_of(option) {
            true => "",
            false => " (from the next start on)",
        };
        format!("{verb} {option} {value} ({origin}){later}")
    };
    let gone = old.iter().filter(|setting| missing_in(new, setting));
    let added = new.iter().filter(|setting| missing_in(old, setting));
    gone.map(|setting| describe("removed", setting))
        .chain(added.map(|setting| describe("added", setting)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::policy::Origin;

    fn setting(option: &'static str, value: &str, line: usize) -> Setting {
        Setting {
            option,
            value: value.to_owned(),
            origin: Origin {
                file: PathBuf::from("a.toml"),
                line,
            },
        }
    }

    #[test]
    fn changes_name_what_is_gone_and_what_is_new_and_no_moved_line() {
        let old = [
            setting("allow-connect", "tcp://192.0.2.1:1", 1),
            setting("allow-connect", "tcp://192.0.2.2:1", 2),
        ];
        let new = [
            setting("allow-connect", "tcp://192.0.2.2:1", 1),
            setting("allow-listen", "tcp://192.0.2.3:1", 2),
            setting("max-sockets", "10", 3),
        ];
        assert_eq!(
            changes(&old, &new),
            [
                "removed allow-connect tcp://192.0.2.1:1 (a.toml:1)",
                "added allow-listen tcp://192.0.2.3:1 (a.toml:2)",
                "added max-sockets 10 (a.toml:3) (from the next start on)",
            ]
        );
        assert!(changes(&new, &new).is_empty());
    }
}

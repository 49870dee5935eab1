//! The rules that a dry run has found to be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use asyncio_streams_host::Denial;
use asyncio_streams_host::policy::{HostPattern, PolicyRule, Rule};

use crate::{files, output};

/// The number of different rules that are remembered, so that a program cannot fill the
/// memory.
const RULES: usize = 10_000;

/// Requests that a policy would have denied, and how often each came.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    /// The rules that would allow the requests, by their options.
    rules: BTreeMap<(String, String), u64>,
    /// Names that a rule for connecting covers, so that none for the look-up is needed.
    connected: BTreeSet<String>,
    /// Requests that no rule to allow would help.
    others: BTreeMap<String, u64>,
    /// Requests beyond [`RULES`].
    more: u64,
}

impl Learned {
    /// Adds a request and the rule that would allow it.
    pub(super) fn add(&self, denial: &Denial, rule: Option<&PolicyRule>) {
        let mut found = self.found();
        let Found {
            rules,
            connected,
            others,
            more,
        } = &mut *found;
        if rules.len() + others.len() >= RULES {
            *more += 1;
            return;
        }
        let Some(rule) = rule else {
            *others.entry(denial.to_string()).or_default() += 1;
            return;
        };
        if let PolicyRule::Connect(Rule::Tcp(rule)) = rule
            && let HostPattern::Name(name) = &rule.host
        {
            connected.insert(name.to_string());
        }
        let option = format!("allow-{}", rule.operation());
        *rules.entry((option, rule.to_string())).or_default() += 1;
    }

    /// Writes the policy file.
    pub(super) fn write(&self, path: Option<&PathBuf>) -> anyhow::Result<()> {
        let text = self.found().policy_file();
        match path {
            None => {
                output::message(&text);
                Ok(())
            }
            Some(path) => files::write(path, text.as_bytes()).context("--dry-run"),
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// A policy file with the rules that were missing. The numbers are those of the requests.
    fn policy_file(&self) -> String {
        let mut text =
            "# Found by a dry run: what the program did, and no rule allowed.\n".to_owned();
        if self.rules.is_empty() {
            text.push_str("# Nothing: the policy has all rules that the program needed.\n");
        }
        let mut last = None;
        for ((option, rule), count) in &self.rules {
            // The rule for connecting covers the look-up.
            if option == "allow-resolve" && self.connected.contains(rule) {
                continue;
            }
            if last != Some(option) {
                if last.is_some() {
                    text.push_str("]\n");
                }
                let _ = writeln!(text, "{option} = [");
                last = Some(option);
            }
            let rule = serde_json::Value::from(rule.as_str());
            let _ = writeln!(text, "  {rule}, # {count}");
        }
        if last.is_some() {
            text.push_str("]\n");
        }
        for (denial, count) in &self.others {
            let _ = writeln!(text, "# No rule to add: {denial} ({count})");
        }
        if self.more > 0 {
            let _ = writeln!(text, "# {} more requests are not listed.", self.more);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use asyncio_streams_host::Request;
    use asyncio_streams_host::policy::DenyReason;

    use super::*;

    fn denial(request: Request) -> Denial {
        Denial {
            request,
            reason: DenyReason::NoRule,
        }
    }

    fn connect(learned: &Learned, rule: &str) {
        let request = Request::Connect("192.0.2.1:443".parse().unwrap());
        let rule = PolicyRule::Connect(rule.parse().unwrap());
        learned.add(&denial(request), Some(&rule));
    }

    fn look_up(learned: &Learned, name: &str) {
        let denial = denial(Request::Lookup(name.parse().unwrap()));
        learned.add(&denial, denial.allowing_rule().as_ref());
    }

    #[test]
    fn the_file_has_each_rule_once_with_the_number_of_requests() {
        let learned = Learned::default();
        connect(&learned, "tcp://192.0.2.1:443");
        connect(&learned, "tcp://192.0.2.1:443");
        connect(&learned, "unix:///run/a%22b");
        let text = learned.found().policy_file();
        let expected = "# Found by a dry run: what the program did, and no rule allowed.\n\
                        allow-connect = [\n  \"tcp://192.0.2.1:443\", # 2\n  \
                        \"unix:///run/a%22b\", # 1\n]\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_name_that_the_program_connects_to_needs_no_rule_for_its_look_up() {
        let learned = Learned::default();
        look_up(&learned, "a.example");
        look_up(&learned, "b.example");
        connect(&learned, "tcp://a.example:443");
        let text = learned.found().policy_file();
        assert!(text.contains("\"tcp://a.example:443\", # 1"), "{text}");
        assert!(
            text.contains("allow-resolve = [\n  \"b.example\", # 1\n]"),
            "{text}"
        );
        assert!(!text.contains("\"a.example\""), "{text}");
    }

    #[test]
    fn nothing_denied_and_no_rule_to_add_are_comments() {
        let learned = Learned::default();
        assert!(learned.found().policy_file().contains("# Nothing"));
        learned.add(&denial(Request::TlsRoots), None);
        let text = learned.found().policy_file();
        assert!(
            text.contains("# No rule to add: denied: trust TLS roots"),
            "{text}"
        );
    }

    #[test]
    fn different_rules_are_bounded() {
        let learned = Learned::default();
        for port in 0..RULES + 5 {
            connect(&learned, &format!("tcp://[2001:db8::{:x}]:1", port));
        }
        let text = learned.found().policy_file();
        assert!(text.ends_with("# 5 more requests are not listed.\n"));
    }
}

use std::sync::Arc;

use asyncio_streams_host::policy::PolicyRule;
use asyncio_streams_host::{Denial, ListenAddress, Observer};

use super::learned::Learned;
use super::status::Status;
use crate::report::report;
use crate::{log, output, remedy};

/// Puts the events of a program into the log.
#[derive(Debug, Clone)]
pub(super) struct LogObserver {
    pub(super) status: Arc<Status>,
    pub(super) learned: Option<Arc<Learned>>,
}

impl Observer for LogObserver {
    fn denied(&self, denial: &Denial) {
        let remedy = remedy::of_denial(denial);
        if log::is_structured() {
            let rule = denial.allowing_rule();
            tracing::warn!(
                label = denial.reason.label(),
                operation = rule.as_ref().map(PolicyRule::operation),
                rule = rule.as_ref().map(tracing::field::display),
                remedy,
                "{denial}"
            );
            return;
        }
        match remedy {
            Some(remedy) => report(format_args!("{denial}; {remedy}")),
            None => report(format_args!("{denial}")),
        }
    }

    fn suppressed(&self, count: u64) {
        report(format_args!("{count} more denials, not shown"));
    }

    fn unverified(&self) {
        report(format_args!(
            "warning: the program does not check the certificate of a TLS server, or the name in \
             it, which --allow-tls-unverified permits"
        ));
    }

    /// Writes exactly `listening on ADDRESS` to standard error, for programs that wait for
    /// this line.
    fn listening(&self, address: &ListenAddress) {
        output::message(&format!("listening on {address}\n"));
        tracing::info!(%address, "listening");
        self.status.listens(address.to_string());
    }

    fn would_deny(&self, denial: &Denial, rule: Option<&PolicyRule>) {
        if let Some(learned) = &self.learned {
            learned.add(denial, rule);
        }
    }
}

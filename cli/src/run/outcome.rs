use std::time::Duration;

use asyncio_streams_host::{Exit, Linger, RunReport, StatsSnapshot, TimeLimit};

use crate::remedy;
use crate::report::report;

/// Reports how a program ended.
pub(super) struct OutcomeReporter {
    /// As `--linger` says.
    pub(super) linger: Duration,
    /// As `--grace` says.
    pub(super) grace: Duration,
    /// As `--startup-timeout` says. A run has what compiling has left of it.
    pub(super) startup_timeout: Duration,
    /// Also report the statistics.
    pub(super) stats: bool,
}

impl OutcomeReporter {
    /// Reports a trap, connections that are reset, and the statistics.
    ///
    /// `stopped_by` names what stopped the program, if anything did; `server` says whether
    /// it had listened.
    pub(super) fn report(&self, outcome: &RunReport, stopped_by: Option<&str>, server: bool) {
        if let Exit::Trap(trap) = &outcome.exit {
            report(format_args!("\x1b[31m{trap}\x1b[0m"));
            if let Some(remedy) = remedy::of_trap(trap) {
                report(format_args!("{remedy}"));
            }
        }
        if let Exit::TimeLimit(limit) = &outcome.exit {
            self.report_limit(*limit, outcome.stats.unfinished());
        }
        self.report_resets(outcome, stopped_by, server);
        if self.stats {
            report_stats(&outcome.stats);
        }
    }

    fn report_limit(&self, limit: TimeLimit, unfinished: usize) {
        let (limit, option) = match limit {
            TimeLimit::Startup(_) => (TimeLimit::Startup(self.startup_timeout), "startup-timeout"),
            TimeLimit::Cpu(_) => (limit, "max-cpu"),
            _ => (limit, "timeout"),
        };
        report(format_args!("{limit}; {}", allow_more(option, unfinished)));
    }

    fn report_resets(&self, outcome: &RunReport, stopped_by: Option<&str>, server: bool) {
        let Self { linger, grace, .. } = self;
        let unfinished = outcome.stats.unfinished();
        match (&outcome.exit, outcome.linger, stopped_by) {
            (_, Linger::TimedOut, _) if unfinished == 0 => report(format_args!(
                "the program was still busy {linger:?} after it had returned, and was dropped \
                 (allow more time with --linger)"
            )),
            (_, Linger::TimedOut, _) => report(format_args!(
                "connections not finished {linger:?} after the program returned: {unfinished}; they \
                 are reset, and their peers may lack data (allow more time with --linger)"
            )),
            (_, Linger::Stopped, Some(cause)) if unfinished > 0 => report(format_args!(
                "connections not finished when {cause} stopped the program: {unfinished}; they are \
                 reset, and their peers may lack data"
            )),
            (Exit::Stopped, _, Some(cause)) if server => report(format_args!(
                "the program did not end within {grace:?} of {cause}; connections not finished: \
                 {unfinished}; they are reset (allow more time with --grace)"
            )),
            _ => {}
        }
    }
}

/// Says what becomes of the connections, and how to allow more time.
fn allow_more(option: &str, unfinished: usize) -> String {
    let reset = match unfinished {
        0 => String::new(),
        _ => format!("connections not finished: {unfinished}; they are reset "),
    };
    format!("{reset}(allow more time with --{option})")
}

fn report_stats(stats: &StatsSnapshot) {
    let StatsSnapshot {
        sockets_open,
        listeners_open,
        sends_open,
        sockets_opened_total,
        bytes_received_total,
        bytes_sent_total,
        denied_total,
        memory_bytes,
        memory_peak,
        table_len,
        concurrent_len,
        ..
    } = stats;
    report(format_args!(
        "stats: sockets-open={sockets_open} listeners-open={listeners_open} \
         sends-open={sends_open} sockets-opened-total={sockets_opened_total} \
         bytes-received-total={bytes_received_total} bytes-sent-total={bytes_sent_total} \
         denied-total={denied_total} memory-bytes={memory_bytes} memory-peak={memory_peak} \
         table-len={table_len} concurrent-len={concurrent_len}"
    ));
}

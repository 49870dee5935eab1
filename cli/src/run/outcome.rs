use std::time::Duration;

use asyncio_streams_host::{Exit, Linger, RunReport, StatsSnapshot};

use crate::cli::say;

/// Tells on standard error how a program ended.
pub(super) struct Telling {
    pub(super) linger: Duration,
    pub(super) grace: Duration,
    pub(super) stats: bool,
}

impl Telling {
    /// What stopped the program, if something did, and whether it is a server.
    pub(super) fn tell(&self, report: &RunReport, stop: Option<&str>, server: bool) {
        if let Exit::Trap(trap) = &report.exit {
            say(format_args!("\x1b[31m{trap}\x1b[0m"));
        }
        self.tell_what_was_cut(report, stop, server);
        if self.stats {
            tell_stats(&report.stats);
        }
    }

    fn tell_what_was_cut(&self, report: &RunReport, stop: Option<&str>, server: bool) {
        let Self { linger, grace, .. } = self;
        let unfinished = report.stats.unfinished();
        match (&report.exit, report.linger, stop) {
            (_, Linger::TimedOut, _) => say(format_args!(
                "connections not finished {linger:?} after the program returned: {unfinished}; they \
                 are reset, and their peers may lack data (--linger allows more time)"
            )),
            (_, Linger::Stopped, Some(stop)) => say(format_args!(
                "connections not finished when the program was stopped by {stop}: {unfinished}; they \
                 are reset, and their peers may lack data"
            )),
            (Exit::Stopped, _, Some(stop)) if server => say(format_args!(
                "the program did not end within {grace:?} of {stop}; connections not finished, which \
                 are reset: {unfinished} (--grace allows more time)"
            )),
            _ => {}
        }
    }
}

fn tell_stats(stats: &StatsSnapshot) {
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
    say(format_args!(
        "stats: sockets-open={sockets_open} listeners-open={listeners_open} \
             sends-open={sends_open} sockets-opened-total={sockets_opened_total} \
             bytes-received-total={bytes_received_total} bytes-sent-total={bytes_sent_total} \
             denied-total={denied_total} memory-bytes={memory_bytes} memory-peak={memory_peak} \
             table-len={table_len} concurrent-len={concurrent_len}"
    ));
}

use std::io::Write as _;

use asyncio_streams_host::{Denial, ListenAddress, Observer};

use crate::cli::say;

/// Writes to standard error what the user has to know.
#[derive(Debug)]
pub(crate) struct StderrObserver;

impl Observer for StderrObserver {
    fn denied(&self, denial: &Denial) {
        say(format_args!("{denial}"));
    }

    fn suppressed(&self, count: u64) {
        say(format_args!("{count} more denials, not shown"));
    }

    fn unverified(&self) {
        say(format_args!(
            "warning: the program does not check with whom it speaks TLS, as \
             --allow-tls-unverified lets it"
        ));
    }

    /// Exactly `listening on ADDRESS`, for programs that wait for it.
    fn listening(&self, address: &ListenAddress) {
        let _ = writeln!(anstream::stderr(), "listening on {address}");
    }
}

use asyncio_streams_host::{Denial, ListenAddress, Observer};

use crate::output;
use crate::remedy;
use crate::report::report;

/// Reports denials, warnings and listeners on standard error.
#[derive(Debug)]
pub(crate) struct StderrObserver;

impl Observer for StderrObserver {
    fn denied(&self, denial: &Denial) {
        match remedy::of_denial(denial) {
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

    /// Writes exactly `listening on ADDRESS`, for programs that wait for this line.
    fn listening(&self, address: &ListenAddress) {
        output::message(&format!("listening on {address}\n"));
    }
}

use std::fmt;
use std::io::Write as _;

/// Writes one message for the operator to standard error, with colour only on a terminal.
/// It is lost when standard error is closed.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "asyncio-streams: {message}");
}

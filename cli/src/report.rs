use std::fmt;
use std::io;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};

use crate::output;

/// Writes one message for the operator to standard error, with colour only on a terminal.
/// It never waits for the reader; a message for which there is no room is lost and counted.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    let text = format!("asyncio-streams: {message}\n");
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => output::message(&strip_str(&text).to_string()),
        _ => output::message(&text),
    }
}

use std::fmt;
use std::io;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};

use crate::{log, output};

/// Puts one message for the operator into the log. It never waits; a message for which there
/// is no room is lost and counted.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    match log::is_structured() {
        true => tracing::warn!("{}", strip_str(&message.to_string())),
        false => to_stderr(message),
    }
}

/// Writes one message to standard error, with colour only on a terminal.
pub(crate) fn to_stderr(message: fmt::Arguments<'_>) {
    let text = format!("asyncio-streams: {message}\n");
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => output::message(&strip_str(&text).to_string()),
        _ => output::message(&text),
    }
}

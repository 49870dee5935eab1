//! The log: what the command itself says, apart from the program's output.

mod file;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use self::file::LogFile;
use crate::output;

/// The environment variable with the filter of the logs, in the syntax of
/// `tracing-subscriber`.
const LOG_VARIABLE: &str = "ASYNCIO_STREAMS_LOG";

/// The events of a structured log, unless the variable says others: those of this project
/// from INFO on, which is where connections are.
const STRUCTURED_FILTER: &str = "warn,asyncio_streams=info";

/// The form and the place of the log.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Log and metrics")]
pub(crate) struct LogArgs {
    /// Write the log as events with fields, one a line, connections and look-ups included.
    /// Without this option and --log-file, the log is lines for people, without these
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// Write the log to FILE, where the program cannot write. SIGHUP opens the file anew, so that
    /// it can be rotated. Only `listening on ADDRESS` and errors that end the command still go to
    /// standard error
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

/// The form of an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// The message, and fields as name=value.
    #[default]
    Text,
    /// An object of JSON.
    Json,
}

/// The format of the structured log, if the log is structured.
static FORMAT: OnceLock<Option<LogFormat>> = OnceLock::new();

/// The log's file, once it is open.
static FILE: OnceLock<LogFile> = OnceLock::new();

impl LogArgs {
    fn format(&self) -> Option<LogFormat> {
        match (self.log_format, &self.log_file) {
            (None, None) => None,
            (format, _) => Some(format.unwrap_or_default()),
        }
    }

    /// Returns the path of the log's file, if it has one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.log_file.as_deref()
    }

    /// Opens the log's file, if there is one. Until then, the log goes to standard error.
    pub(crate) fn open(&self) -> anyhow::Result<()> {
        if let Some(path) = &self.log_file {
            let file = LogFile::open(path.clone(), self.format().unwrap_or_default());
            let file = file.with_context(|| format!("--log-file {}", path.display()))?;
            let _ = FILE.set(file);
        }
        Ok(())
    }
}

/// Starts the log. Called once, before anything is logged.
pub(crate) fn start(args: Option<&LogArgs>) {
    let format = args.and_then(LogArgs::format);
    let _ = FORMAT.set(format);
    let default = match format {
        Some(_) => STRUCTURED_FILTER,
        None => "warn",
    };
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Log)
        .with_ansi(format.is_none() && io::stderr().is_terminal());
    match format {
        Some(LogFormat::Json) => subscriber
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_thread_names(true)
            .init(),
        _ => subscriber.init(),
    }
}

/// Returns true if the log is events with fields.
pub(crate) fn is_structured() -> bool {
    FORMAT.get().is_some_and(Option::is_some)
}

/// Opens the log's file anew, as after it was renamed, and reports the result. Does nothing
/// without a file.
pub(crate) fn reopen() {
    if let Some(file) = FILE.get() {
        file.reopen();
    }
}

/// Has nothing wait for the log's file from then on.
pub(crate) fn give_up_at(deadline: Instant) {
    if let Some(file) = FILE.get() {
        file.give_up_at(deadline);
    }
}

/// Waits until the log is written.
pub(crate) fn finish() {
    if let Some(file) = FILE.get() {
        file.finish();
    }
}

/// Writes logs, an event at a time, without waiting for their reader.
struct Log;

impl io::Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        match FILE.get() {
            Some(file) => file.write(event),
            None => output::message(&String::from_utf8_lossy(event)),
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! The command `asyncio-streams`: runs WebAssembly components that use asyncio
//! Streams, with sockets granted by rule.
#![deny(unsafe_code)]

mod args;
mod compile;
mod completions;
mod compose;
mod files;
mod output;
mod policy;
mod remedy;
mod report;
mod run;
mod streams;

use std::io::{self, IsTerminal as _, Write as _};
use std::process;

use tracing_subscriber::EnvFilter;

use crate::args::Cli;
use crate::report::report;

/// The exit code when the command line is wrong, which is clap's too, or when the command
/// could not do what it was asked for.
const FAILED: u8 = 2;

/// The environment variable with the filter of the logs, in the syntax of
/// `tracing-subscriber`.
const LOG_VARIABLE: &str = "ASYNCIO_STREAMS_LOG";

fn main() {
    let (cli, matches) = Cli::from_command_line();
    log_to_stderr();
    let code = match cli.execute(&matches) {
        Ok(code) => code,
        Err(error) => {
            let remedy = remedy::of_error(&error);
            let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
            report(format_args!("\x1b[31merror\x1b[0m: {error:#}{remedy}"));
            FAILED
        }
    };
    let _ = io::stdout().flush();
    let code = output::finish(code);
    // Not by returning from `main`: tokio's thread that reads the guest's standard input
    // may be blocked in the read.
    process::exit(i32::from(code));
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| output::Log)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

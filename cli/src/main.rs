//! The command `asyncio-streams`: runs WebAssembly components that use asyncio
//! Streams, with sockets granted by rule.
#![deny(unsafe_code)]

mod cli;
mod compile;
mod compose;
mod output;
mod run;
mod streams;

use std::io::{self, IsTerminal as _, Write as _};

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// The filter of the logs, in the syntax of `tracing-subscriber`.
const LOG_VARIABLE: &str = "ASYNCIO_STREAMS_LOG";

fn main() {
    let cli = cli::Cli::parse();
    log_to_stderr();
    let code = match cli.execute() {
        Ok(code) => code,
        Err(error) => {
            cli::say(format_args!("\x1b[31merror\x1b[0m: {error:#}"));
            2
        }
    };
    let _ = io::stdout().flush();
    // Not by returning: a thread may be waiting for the guest's standard input.
    std::process::exit(i32::from(code));
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

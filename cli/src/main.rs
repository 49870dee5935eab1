//! The command `asyncio-streams`: runs WebAssembly components that use asyncio
//! Streams, with sockets granted by rule.
#![deny(unsafe_code)]

mod args;
mod compile;
mod completions;
mod compose;
mod files;
mod log;
mod output;
mod policy;
mod remedy;
mod report;
mod run;
mod streams;

use std::io::{self, Write as _};
use std::process;

use crate::args::Cli;

/// The exit code when the command line is wrong, which is clap's too, or when the command
/// could not do what it was asked for.
const FAILED: u8 = 2;

fn main() {
    let (cli, matches) = Cli::from_command_line();
    log::start(cli.log());
    let code = match cli.execute(&matches) {
        Ok(code) => code,
        Err(error) => {
            let remedy = remedy::of_error(&error);
            let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
            report::to_stderr(format_args!("\x1b[31merror\x1b[0m: {error:#}{remedy}"));
            if log::is_structured() {
                tracing::error!("{error:#}{remedy}");
            }
            FAILED
        }
    };
    let _ = io::stdout().flush();
    let code = output::finish(code);
    // Not by returning from `main`: tokio's thread that reads the guest's standard input
    // may be blocked in the read.
    process::exit(i32::from(code));
}

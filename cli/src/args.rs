//! The command line.

use std::fmt;
use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{compile, compose, run};

/// Shown by `--help`.
const EXAMPLES: &str = "\
Examples:
  asyncio-streams run --allow-listen tcp://127.0.0.1:8888 echo-server.wasm
  asyncio-streams run --allow-connect tcp://127.0.0.1:8888 echo-client.wasm 'Hello World!'
  asyncio-streams run --allow-connect 'tcp://*.example.com:443' fetch.wasm --verbose
  asyncio-streams compose app.wasm -o program.wasm
  asyncio-streams compile app.wasm -o program.cwasm
";

/// Run WebAssembly components that use asyncio Streams, with sockets granted by
/// rule.
#[derive(Debug, Parser)]
#[command(name = "asyncio-streams", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Compose(compose::ComposeArgs),
    Compile(compile::CompileArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell to make them for.
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Does what was asked for, and returns the exit code of the process.
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Run(args) => args.execute(),
            Command::Compose(args) => args.execute(),
            Command::Compile(args) => args.execute(),
            Command::Completions { shell } => {
                let mut cli = Self::command();
                let name = cli.get_name().to_owned();
                clap_complete::generate(shell, &mut cli, name, &mut io::stdout());
                Ok(0)
            }
        }
    }
}

/// A line of ours on standard error, with colour only on a terminal. It is
/// lost when standard error is closed.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "asyncio-streams: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

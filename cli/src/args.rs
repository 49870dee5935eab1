use clap::{Parser, Subcommand};

use crate::compile::CompileArgs;
use crate::completions::CompletionsArgs;
use crate::compose::ComposeArgs;
use crate::run::RunArgs;

/// Shown at the end of `--help`.
const EXAMPLES: &str = "\
Examples:
  asyncio-streams run --allow-listen tcp://127.0.0.1:8888 echo-server.wasm
  asyncio-streams run --allow-connect tcp://127.0.0.1:8888 echo-client.wasm 'Hello World!'
  asyncio-streams run --allow-connect 'tcp://*.example.com:443' fetch.wasm --verbose
  asyncio-streams compose app.wasm -o program.wasm
  asyncio-streams compile app.wasm -o program.cwasm
";

/// Run WebAssembly components that use asyncio Streams, with sockets granted by rule
#[derive(Debug, Parser)]
#[command(name = "asyncio-streams", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<RunArgs>),
    Compose(ComposeArgs),
    Compile(CompileArgs),
    Completions(CompletionsArgs),
}

impl Cli {
    /// Executes the subcommand, and returns the exit code of the process.
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Run(args) => args.execute(),
            Command::Compose(args) => args.execute(),
            Command::Compile(args) => args.execute(),
            Command::Completions(args) => args.execute(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

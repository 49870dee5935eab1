use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::compile::CompileArgs;
use crate::completions::CompletionsArgs;
use crate::compose::ComposeArgs;
use crate::log::LogArgs;
use crate::policy::PolicyCommand;
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
    Policy(PolicyCommand),
    Completions(CompletionsArgs),
}

impl Cli {
    /// Parses the command line. Ends the process if it is wrong, or asks for help.
    pub(crate) fn from_command_line() -> (Self, ArgMatches) {
        let mut matches = Self::command().get_matches();
        let shown = matches.clone();
        match Self::from_arg_matches_mut(&mut matches) {
            Ok(cli) => (cli, shown),
            Err(error) => error.format(&mut Self::command()).exit(),
        }
    }

    /// Returns the options for the log, of a subcommand that has them.
    pub(crate) fn log(&self) -> Option<&LogArgs> {
        match &self.command {
            Command::Run(args) => Some(args.log()),
            _ => None,
        }
    }

    /// Executes the subcommand, and returns the exit code of the process. `matches` say which
    /// options the command line has.
    pub(crate) fn execute(self, matches: &ArgMatches) -> anyhow::Result<u8> {
        let given = |option: &str| {
            let options = matches.subcommand().map(|(_, options)| options);
            let source =
                options.and_then(|options| options.value_source(&option.replace('-', "_")));
            source == Some(ValueSource::CommandLine)
        };
        match self.command {
            Command::Run(args) => args.execute(given),
            Command::Policy(command) => command.execute(),
            Command::Compose(args) => args.execute(),
            Command::Compile(args) => args.execute(),
            Command::Completions(args) => args.execute(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

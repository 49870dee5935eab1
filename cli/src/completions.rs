use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::args::Cli;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        let mut cli = Cli::command();
        let name = cli.get_name().to_owned();
        generate(self.shell, &mut cli, name, &mut io::stdout());
        Ok(0)
    }
}

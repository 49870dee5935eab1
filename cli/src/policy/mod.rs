mod check;
mod explain;
mod file;
mod schema;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::check::CheckArgs;
use self::explain::ExplainArgs;
pub(crate) use self::file::{Origin, PolicyFile, Setting};
use self::schema::SchemaArgs;

/// Check policy files, and explain what they allow
#[derive(Debug, Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArgs),
    Explain(Box<ExplainArgs>),
    Schema(SchemaArgs),
}

impl PolicyCommand {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Check(args) => args.execute(),
            Command::Explain(args) => args.execute(),
            Command::Schema(args) => args.execute(),
        }
    }
}

/// The files with permissions, limits and settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Policy files")]
pub(crate) struct PolicyFileArgs {
    /// Read permissions, limits and settings from FILE: TOML, with the names of the options of
    /// `run`. Lists add up; a limit on the command line wins
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,

    /// Also take the settings that the policy files have for the program NAME
    #[arg(long, value_name = "NAME", requires = "policy")]
    policy_program: Option<String>,
}

impl PolicyFileArgs {
    /// Returns the paths of the files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.policy.iter().map(PathBuf::as_path)
    }

    /// Returns true if there is no file.
    pub(crate) fn is_empty(&self) -> bool {
        self.policy.is_empty()
    }

    /// Reads the files. Returns their settings in order.
    pub(crate) fn settings(&self) -> anyhow::Result<Vec<Setting>> {
        let mut content = PolicyFile::default();
        for path in &self.policy {
            content.extend(PolicyFile::read(path)?);
        }
        content.settings(self.policy_program.as_deref())
    }
}

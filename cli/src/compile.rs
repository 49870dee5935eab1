use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{engine, precompiled};
use clap::Args;

use crate::files::{read, write};
use crate::streams::StreamsArgs;

/// Compile a program to native code, so that it starts without compiling
///
/// The program is composed as by `run`. The file holds native code for this version of the
/// command and for processors like this one.
///
/// `run` accepts the file only with --allow-precompiled, because the sandbox does not confine
/// native code. For programs that run repeatedly on one machine this command is not needed:
/// `run` keeps what it has compiled.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// The program: a component, or a core module
    program: PathBuf,

    /// File to write the native code to, or `-` for standard output. The default is the program's
    /// name with the ending .cwasm, in the current folder
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    #[command(flatten)]
    streams: StreamsArgs,
}

impl CompileArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        let program = read(&self.program)?;
        let streams = self.streams.component()?;
        let engine = engine().map_err(|error| anyhow!("{error:#}"))?;
        let native = precompiled::precompile(&engine, &program, streams.as_deref())
            .with_context(|| self.program.display().to_string())?;
        let output = match self.output {
            Some(path) => path,
            None => default_output(&self.program)?,
        };
        write(&output, &native)?;
        Ok(0)
    }
}

fn default_output(program: &Path) -> anyhow::Result<PathBuf> {
    let name = program
        .file_name()
        .with_context(|| format!("{} has no name; give one with -o", program.display()))?;
    Ok(Path::new(name).with_extension("cwasm"))
}

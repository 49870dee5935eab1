use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use asyncio_streams_host::{engine, precompiled};
use clap::Args;

use crate::output;
use crate::streams::{StreamsArgs, read};

/// Compile a program to native code, to be started without compiling
///
/// The program is composed as by `run`. The file holds native code for this
/// version of the command and for processors like this one. `run` takes it with
/// --allow-precompiled, which says that you trust it: native code is not held
/// by the sandbox. Not needed on a machine that runs the program again and
/// again: `run` keeps what it has compiled.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// The program: a component, or a core module
    program: PathBuf,

    /// Where to write the result, `-` for standard output; by default the program's name with
    /// the ending .cwasm, in this folder
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
            None => usual_output(&self.program)?,
        };
        output::write(&output, &native)?;
        Ok(0)
    }
}

fn usual_output(program: &Path) -> anyhow::Result<PathBuf> {
    let name = program
        .file_name()
        .with_context(|| format!("{} has no name; give one with -o", program.display()))?;
    Ok(Path::new(name).with_extension("cwasm"))
}

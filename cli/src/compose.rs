use std::path::PathBuf;

use anyhow::Context as _;
use asyncio_streams_host::compose::prepare;
use clap::Args;

use crate::output;
use crate::streams::{StreamsArgs, read};

/// Compose an application with the streams component, into one component
///
/// A core module that carries the types of a component, as `cargo build
/// --target wasm32-unknown-unknown` gives it, is encoded first. The result
/// imports only WASI 0.3, so any host for that runs it.
#[derive(Debug, Args)]
pub(crate) struct ComposeArgs {
    /// The application: a component, or a core module
    component: PathBuf,

    /// Where to write the composed component, `-` for standard output
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,

    #[command(flatten)]
    streams: StreamsArgs,
}

impl ComposeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        let application = read(&self.component)?;
        let streams = self.streams.component()?;
        let composed = prepare(&application, streams.as_deref())
            .with_context(|| self.component.display().to_string())?;
        output::write(&self.output, &composed)?;
        Ok(0)
    }
}

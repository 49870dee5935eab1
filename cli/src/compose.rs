use std::path::PathBuf;

use anyhow::Context as _;
use asyncio_streams_host::compose::prepare;
use clap::Args;

use crate::files::{read, write};
use crate::streams::StreamsArgs;

/// Compose an application with the streams component, into one component
///
/// The application may be a core module that carries the types of a component, as `cargo
/// build --target wasm32-unknown-unknown` writes it: it is encoded first.
///
/// With the streams component `tcp`, the result imports WASI 0.3 and nothing else, so that
/// any host for WASI 0.3 can run it. With `full`, it also imports asyncio:host (TLS, Unix
/// sockets, TCP options), which this command and the crate asyncio-streams-host provide.
#[derive(Debug, Args)]
pub(crate) struct ComposeArgs {
    /// The application: a component, or a core module
    component: PathBuf,

    /// File to write the composed component to, or `-` for standard output
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
        write(&self.output, &composed)?;
        Ok(0)
    }
}

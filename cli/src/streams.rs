use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use asyncio_streams_host::compose::{builtin_streams, builtin_streams_tcp};
use clap::Args;

/// Which streams component applications are composed with.
#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    /// The streams component to compose with: `full` (built in, the default), `tcp` (built in,
    /// imports nothing but WASI, for other hosts), `none`, or a path
    #[arg(long, value_name = "WHICH", env = "ASYNCIO_STREAMS_COMPONENT")]
    streams_component: Option<PathBuf>,
}

impl StreamsArgs {
    pub(crate) fn component(&self) -> anyhow::Result<Option<Cow<'static, [u8]>>> {
        let path = self.streams_component.as_deref().unwrap_or(Path::new(""));
        match path.to_str() {
            Some("" | "full") => Ok(builtin_streams().map(Cow::Borrowed)),
            Some("tcp") => Ok(builtin_streams_tcp().map(Cow::Borrowed)),
            Some("none") => Ok(None),
            _ => Ok(Some(Cow::Owned(read(path)?))),
        }
    }
}

/// The bytes of a file, or an error that names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

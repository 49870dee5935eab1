use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use asyncio_streams_host::compose::builtin_streams;
use clap::Args;

/// Which streams component applications are composed with.
#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    /// The streams component to compose with, instead of the one built in; `none` for none
    #[arg(long, value_name = "PATH", env = "ASYNCIO_STREAMS_COMPONENT")]
    streams_component: Option<PathBuf>,
}

impl StreamsArgs {
    pub(crate) fn component(&self) -> anyhow::Result<Option<Cow<'static, [u8]>>> {
        match &self.streams_component {
            None => Ok(builtin_streams().map(Cow::Borrowed)),
            Some(path) if path.as_os_str().is_empty() => Ok(builtin_streams().map(Cow::Borrowed)),
            Some(path) if path.as_os_str() == "none" => Ok(None),
            Some(path) => Ok(Some(Cow::Owned(read(path)?))),
        }
    }
}

/// The bytes of a file, or an error that names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

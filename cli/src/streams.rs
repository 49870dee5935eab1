use std::borrow::Cow;
use std::path::{Path, PathBuf};

use asyncio_streams_host::compose::{builtin_streams, builtin_streams_tcp};
use clap::Args;

use crate::files::read;

/// The streams component that applications are composed with.
#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    /// The streams component to compose with: `full` (the default; built in; imports WASI 0.3 and
    /// asyncio:host), `tcp` (built in; imports WASI 0.3 only, without TLS and Unix sockets),
    /// `none`, or the path of a component
    #[arg(
        long,
        value_name = "WHICH",
        env = "ASYNCIO_STREAMS_COMPONENT",
        hide_env_values = true
    )]
    streams_component: Option<PathBuf>,
}

impl StreamsArgs {
    /// Returns the file of the streams component, if it is not a built-in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        let path = self.streams_component.as_deref()?;
        let built_in = ["", "full", "tcp", "none"];
        let named = path.to_str().is_some_and(|name| built_in.contains(&name));
        (!named).then_some(path)
    }

    /// The bytes of the component, or `None` to leave applications as they are.
    pub(crate) fn component(&self) -> anyhow::Result<Option<Cow<'static, [u8]>>> {
        let path = self.streams_component.as_deref().unwrap_or(Path::new(""));
        match path.to_str() {
            // An empty environment variable counts as none.
            Some("" | "full") => Ok(builtin_streams().map(Cow::Borrowed)),
            Some("tcp") => Ok(builtin_streams_tcp().map(Cow::Borrowed)),
            Some("none") => Ok(None),
            _ => Ok(Some(Cow::Owned(read(path)?))),
        }
    }
}

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use asyncio_streams_host::{Cache, CacheError, compile, precompiled};
use clap::Args;
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cli::say;
use crate::streams::{StreamsArgs, read};

/// How a program becomes native code.
#[derive(Debug, Args)]
#[command(next_help_heading = "Compiling")]
pub(crate) struct ProgramArgs {
    /// Where compiled programs are kept for the next run, `none` for nowhere; by default
    /// asyncio-streams in the user's folder for caches
    #[arg(long, value_name = "DIR", env = "ASYNCIO_STREAMS_CACHE")]
    cache: Option<PathBuf>,

    /// Compile the program in any case, and do not keep it
    #[arg(long)]
    no_cache: bool,

    /// Run a file that `compile` has written; it is native code that no sandbox holds
    #[arg(long)]
    allow_precompiled: bool,
}

impl ProgramArgs {
    pub(crate) fn load(
        &self,
        engine: &Engine,
        path: &Path,
        streams: &StreamsArgs,
    ) -> anyhow::Result<Component> {
        let program = read(path)?;
        if precompiled::is_precompiled(&program) {
            return self
                .load_precompiled(engine, &program)
                .with_context(|| path.display().to_string());
        }
        let streams = streams.component()?;
        let component = match self.open_cache() {
            Some(cache) => cache.component(engine, &program, streams.as_deref()),
            None => compile(engine, &program, streams.as_deref()),
        };
        component.with_context(|| path.display().to_string())
    }

    #[expect(
        unsafe_code,
        reason = "native code is loaded, as the user has asked for"
    )]
    fn load_precompiled(&self, engine: &Engine, native: &[u8]) -> anyhow::Result<Component> {
        if !self.allow_precompiled {
            bail!(
                "this is a precompiled program: native code that no sandbox holds; if you trust \
                 where it comes from, run it with --allow-precompiled"
            );
        }
        // SAFETY: by the option, the user guarantees that the file is what
        // `asyncio-streams compile` has written.
        unsafe { precompiled::load(engine, native) }.map_err(|error| anyhow!(error))
    }

    /// None where nothing is to be kept or, after saying why, cannot be.
    fn open_cache(&self) -> Option<Cache> {
        let named = self
            .cache
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty());
        if self.no_cache || named.is_some_and(|path| path.as_os_str() == "none") {
            return None;
        }
        let Some(folder) = named.cloned().or_else(Cache::usual_place) else {
            debug!("no cache: the environment names no folder of the user's");
            return None;
        };
        match Cache::open(folder) {
            Ok(cache) => Some(cache),
            Err(CacheError::Unsupported) if named.is_none() => None,
            Err(error) => {
                say(format_args!(
                    "{error}; compiling without it (--no-cache does so without this line)"
                ));
                None
            }
        }
    }
}

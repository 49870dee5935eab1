use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use asyncio_streams_host::{Cache, TimeLimit, compile, precompiled};
use clap::Args;
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::files::read;
use crate::output;
use crate::report::report;
use crate::streams::StreamsArgs;

/// The stack of the thread that compiles, as large as the usual one of a main thread.
const STACK: usize = 8 << 20;

/// The cache, and precompiled programs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Compiling")]
pub(crate) struct CompilingArgs {
    /// Folder where compiled programs are kept for the next run, or `none`. The default is
    /// asyncio-streams in the user's folder for caches
    #[arg(
        long,
        value_name = "DIR",
        env = "ASYNCIO_STREAMS_CACHE",
        hide_env_values = true
    )]
    cache: Option<PathBuf>,

    /// Compile the program in any case, and do not keep the result
    #[arg(long)]
    no_cache: bool,

    /// Run a file that `compile` has written. The sandbox does not confine its native code:
    /// give this option only for files that you trust
    #[arg(long)]
    allow_precompiled: bool,
}

impl CompilingArgs {
    /// Reads a program and makes native code of it, by way of the cache.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        path: &Path,
        streams: &StreamsArgs,
        cache: Option<&Cache>,
    ) -> anyhow::Result<Component> {
        let program = read(path)?;
        if precompiled::is_precompiled(&program) {
            return self
                .load_precompiled(engine, &program)
                .with_context(|| path.display().to_string());
        }
        let streams = streams.component()?;
        let component = match cache {
            Some(cache) => cache.component(engine, &program, streams.as_deref()),
            None => compile(engine, &program, streams.as_deref()),
        };
        component.with_context(|| path.display().to_string())
    }

    #[expect(
        unsafe_code,
        reason = "native code is loaded, as the operator asked for"
    )]
    fn load_precompiled(&self, engine: &Engine, native: &[u8]) -> anyhow::Result<Component> {
        if !self.allow_precompiled {
            bail!(
                "this is a precompiled program: native code that the sandbox does not confine; if \
                 you trust its origin, run it with --allow-precompiled"
            );
        }
        // SAFETY: with the option, the operator guarantees that `asyncio-streams compile` has
        // written the file.
        unsafe { precompiled::load(engine, native) }.map_err(|error| anyhow!(error))
    }

    /// Returns the folder of the cache, or `None` if nothing is to be kept.
    pub(super) fn cache_folder(&self) -> Option<PathBuf> {
        let named = self
            .cache
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty());
        if self.no_cache || named.is_some_and(|path| path.as_os_str() == "none") {
            return None;
        }
        let folder = named.cloned().or_else(Cache::usual_place);
        if folder.is_none() {
            debug!("no cache: the environment does not say where the user's folder for caches is");
        }
        folder
    }

    /// Returns `None` when nothing is to be kept, and, after a report, when the folder cannot
    /// be used.
    pub(super) fn open_cache(&self) -> Option<Cache> {
        match Cache::open(self.cache_folder()?) {
            Ok(cache) => Some(cache),
            Err(error) => {
                report(format_args!(
                    "{error}; compiling without a cache (--no-cache does so without this message)"
                ));
                None
            }
        }
    }
}

/// Returns the result of `load`, or ends the process when it takes longer than `limit` from
/// `begun` on: the compiler cannot be interrupted.
pub(super) fn within<T: Send>(
    limit: Duration,
    begun: Instant,
    load: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    thread::scope(|scope| {
        let (sender, loaded) = channel();
        let compiler = thread::Builder::new()
            .name("compiler".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, move || sender.send(load()))
            .context("cannot start the thread that compiles the program")?;
        match loaded.recv_timeout(limit.saturating_sub(begun.elapsed())) {
            Ok(loaded) => loaded,
            Err(RecvTimeoutError::Disconnected) => {
                // The scope would pass the panic on.
                let _ = compiler.join();
                Err(anyhow!("the thread that compiles the program has died"))
            }
            Err(RecvTimeoutError::Timeout) => {
                let limit = TimeLimit::Startup(limit);
                report(format_args!(
                    "{limit}: it is still being compiled (allow more time with --startup-timeout)"
                ));
                output::exit_at_once(limit.code());
            }
        }
    })
}

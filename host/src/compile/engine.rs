use std::num::NonZeroUsize;

use wasmtime::{Config, Engine};

use super::features;

/// The number of frames kept of a trap's stack.
const MAX_FRAMES: usize = 32;

/// Makes an engine for guests that use asyncio Streams, with [`config`].
///
/// # Errors
///
/// Fails when the machine cannot run WebAssembly.
pub fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// Returns the configuration of [`engine`], for embedders that change it: components,
/// native async, names of functions in the backtrace of a trap, and interruption by epochs.
/// Features of WebAssembly that programs do not need are off, such as memories of 64 bits,
/// shared memories and threads.
///
/// A [`Runner`](crate::Runner), or [`apply_limits`](crate::apply_limits), advances the epoch;
/// without interruption, a guest that computes holds up its thread, and no limit of time
/// ends it.
///
/// Memory is allocated on demand. A store lives as long as its program here, so a pool
/// would only hold memory back.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::new();
    features::apply(&mut config);
    config.epoch_interruption(true);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
    config
}

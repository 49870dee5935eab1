use std::num::NonZeroUsize;

use wasmtime::{Config, Engine};

/// Frames kept of the stack of a guest that trapped.
const MAX_FRAMES: usize = 32;

/// An engine for guests that use asyncio Streams, made from [`config`].
///
/// # Errors
///
/// When the machine cannot run WebAssembly.
pub fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// The configuration of [`engine`], for embedders that change it: components,
/// with native async, and names of functions in the backtrace of a trap.
///
/// Memory is allocated on demand: a store is made once for a whole program
/// here, so a pool would only hold memory back.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
    config
}

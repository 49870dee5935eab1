use std::num::NonZeroUsize;

use wasmtime::{Config, Engine};

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
/// native async, and names of functions in the backtrace of a trap.
///
/// Memory is allocated on demand. A store lives as long as its program here, so a pool
/// would only hold memory back.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES));
    config
}

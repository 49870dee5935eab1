//! From a compiler's output to code that runs: composed, compiled, and kept.

mod cache;
mod engine;
pub mod precompiled;

use thiserror::Error;
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

pub use self::cache::{Cache, CacheError};
pub use self::engine::{config, engine};
use crate::compose::{ComposeError, prepare};

/// The reason why a program cannot be compiled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The program cannot be encoded or composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Wasmtime rejects the component.
    #[error("not a valid component: {0:#}")]
    Invalid(wasmtime::Error),
}

/// Makes a component from a compiler's output: by [`prepare`], then by compiling. A
/// [`Cache`](crate::Cache) does the same, only once for each program.
///
/// # Errors
///
/// Fails when the program cannot be prepared or is not valid.
pub fn compile(
    engine: &Engine,
    program: &[u8],
    streams: Option<&[u8]>,
) -> Result<Component, CompileError> {
    let prepared = prepare(program, streams)?;
    debug!(bytes = prepared.len(), "composed");
    let component = Component::from_binary(engine, &prepared).map_err(CompileError::Invalid)?;
    debug!("compiled");
    Ok(component)
}

//! From what a compiler gives to code that runs: composed, compiled, and kept.

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

/// A program could not be made ready to run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It could not be encoded or composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Wasmtime does not take it.
    #[error("not a valid component: {0:#}")]
    Invalid(wasmtime::Error),
}

/// Makes a component from what a compiler gives: [`prepare`], then compile. A
/// [`Cache`](crate::Cache) does the same, and only once for each program.
///
/// # Errors
///
/// When it cannot be prepared, or is not valid.
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

//! From a compiler's output to code that runs: composed, compiled, and kept.

mod cache;
mod engine;
pub(crate) mod features;
pub mod precompiled;

use thiserror::Error;
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

pub use self::cache::{Cache, CacheError};
pub use self::engine::{config, engine};
use crate::compose::{ComposeError, prepare};
use crate::guest_text::printable;

/// The length, in characters, to which the validator's words are cut.
const SHOWN: usize = 500;

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
    let component =
        Component::from_binary(engine, &prepared).map_err(|error| refused(&prepared, error))?;
    debug!("compiled");
    Ok(component)
}

/// Says which feature is missing, if that is why the engine has refused a component.
fn refused(component: &[u8], error: wasmtime::Error) -> CompileError {
    match features::missing_in(component) {
        None => CompileError::Invalid(error),
        Some((feature, reason)) => ComposeError::Feature {
            name: "application",
            feature,
            reason: printable(&reason, SHOWN),
        }
        .into(),
    }
}

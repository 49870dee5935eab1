//! Compiled programs as files that can be shipped.
//!
//! Such a file holds native code for one version of wasmtime, one configuration of its
//! engine, and processors like the one that compiled it. It is not WebAssembly any more:
//! no sandbox holds it. The caller that loads it vouches for its origin.
//!
//! ```no_run
//! use asyncio_streams_host::{compose, engine, precompiled};
//!
//! # fn example(application: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let engine = engine()?;
//! let native = precompiled::precompile(&engine, application, compose::builtin_streams())?;
//! // SAFETY: `precompile` has made these bytes, and no other code could change them.
//! let component = unsafe { precompiled::load(&engine, &native) }?;
//! # Ok(())
//! # }
//! ```

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

use super::{CompileError, refused};
use crate::compose::prepare;

/// The reason why a file was not loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrecompiledError {
    /// The file is not native code of wasmtime.
    #[error("this is not a precompiled program")]
    NotPrecompiled,
    /// The file holds a core module, and only components run.
    #[error("this is a precompiled core module, and only components run")]
    Module,
    /// The file was made by another version of wasmtime, another configuration or on
    /// another processor, or it is damaged.
    #[error(
        "this precompiled file does not fit: {0:#} \
         (it runs only with the version and on the kind of processor it was compiled with: compile \
         the program again)"
    )]
    Incompatible(wasmtime::Error),
}

/// Compiles a program, composed as by [`prepare`], to native code for [`load`].
///
/// # Errors
///
/// Fails when the program cannot be prepared or is not valid.
pub fn precompile(
    engine: &Engine,
    program: &[u8],
    streams: Option<&[u8]>,
) -> Result<Vec<u8>, CompileError> {
    let prepared = prepare(program, streams)?;
    engine
        .precompile_component(&prepared)
        .map_err(|error| refused(&prepared, error))
}

/// Returns whether these bytes look like native code of wasmtime.
#[must_use]
pub fn is_precompiled(bytes: &[u8]) -> bool {
    Engine::detect_precompiled(bytes).is_some()
}

/// Loads a component from native code.
///
/// # Safety
///
/// The bytes must be the unchanged output of [`precompile`] or of wasmtime. Versions and
/// settings are checked. The code is not, and it can do all that this process may do.
///
/// # Errors
///
/// Fails when the bytes are not native code, or do not fit this engine.
#[expect(
    unsafe_code,
    reason = "native code is loaded, as the caller vouches for"
)]
pub unsafe fn load(engine: &Engine, native: &[u8]) -> Result<Component, PrecompiledError> {
    match Engine::detect_precompiled(native) {
        Some(Precompiled::Component) => {}
        Some(Precompiled::Module) => return Err(PrecompiledError::Module),
        None => return Err(PrecompiledError::NotPrecompiled),
    }
    // SAFETY: what the caller guarantees is what this asks for.
    unsafe { Component::deserialize(engine, native) }.map_err(PrecompiledError::Incompatible)
}

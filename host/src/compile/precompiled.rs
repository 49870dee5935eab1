//! Programs that are compiled already, as files to be shipped.
//!
//! Such a file holds native code for one version of wasmtime, one configuration
//! of its engine, and processors like the one it was compiled on. It is not
//! WebAssembly any more: nothing checks what it does, and no sandbox holds it.
//! Whoever loads one vouches for where it came from.
//!
//! ```no_run
//! use asyncio_streams_host::{compose, engine, precompiled};
//!
//! # fn example(application: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let engine = engine()?;
//! let native = precompiled::precompile(&engine, application, compose::builtin_streams())?;
//! // SAFETY: `precompile` has made these bytes, and nobody else had them since.
//! let component = unsafe { precompiled::load(&engine, &native) }?;
//! # Ok(())
//! # }
//! ```

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Engine, Precompiled};

use super::CompileError;
use crate::compose::prepare;

/// A file was not loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrecompiledError {
    /// It is something else.
    #[error("this is not a precompiled program")]
    NotPrecompiled,
    /// A core module, which is no program.
    #[error("this is a precompiled core module, and only components run")]
    Module,
    /// For another version of wasmtime, another configuration of the engine or
    /// another processor; or it is damaged.
    #[error(
        "this precompiled file does not fit: {0:#} \
         (it runs only with the version and on the kind of processor it was compiled with: compile \
         the program again)"
    )]
    Incompatible(wasmtime::Error),
}

/// Compiles a program, composed as by [`prepare`], to native code that
/// [`load`] takes.
///
/// # Errors
///
/// When it cannot be prepared, or is not valid.
pub fn precompile(
    engine: &Engine,
    program: &[u8],
    streams: Option<&[u8]>,
) -> Result<Vec<u8>, CompileError> {
    let prepared = prepare(program, streams)?;
    engine
        .precompile_component(&prepared)
        .map_err(CompileError::Invalid)
}

/// Whether these bytes look like native code that wasmtime has compiled.
#[must_use]
pub fn is_precompiled(bytes: &[u8]) -> bool {
    Engine::detect_precompiled(bytes).is_some()
}

/// A component from native code.
///
/// # Safety
///
/// The bytes have to be what [`precompile`] or another function of wasmtime's has
/// made, unchanged. Versions and settings are checked; the code is not, and it
/// can do whatever this process may.
///
/// # Errors
///
/// When it is something else, or was compiled for something else.
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

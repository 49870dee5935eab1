//! `asyncio:host` 0.1: the capabilities that WASI's sockets lack, on the same sockets
//! and under the same policy.

mod bindings;
mod listeners;
mod tcp_options;
mod tls;
mod unix_sockets;

use wasmtime::component::Linker;

use crate::ctx::StreamsView;
use crate::imports::StreamsImports;

/// Adds `asyncio:host` 0.1 to a linker, and nothing else. Its TCP sockets are those of
/// [`wasi_sockets::add_to_linker`](crate::imports::wasi_sockets::add_to_linker).
///
/// # Errors
///
/// Fails when the linker has one of the interfaces already.
pub fn add_to_linker<T: StreamsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::listeners::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::tcp_options::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::tls::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::unix_sockets::add_to_linker::<T, StreamsImports>(linker, T::streams)
}

//! `asyncio:host` 0.1: what WASI's own sockets lack, on the
//! same sockets and under the same policy.

mod bindings;
mod listeners;
mod tcp_options;
mod tls;
mod unix_sockets;

use wasmtime::component::Linker;

use crate::StreamsView;
use crate::imports::StreamsImports;

/// The interfaces that [`add_to_linker`] adds, with their version.
pub(crate) const INTERFACES: [&str; 4] = [
    "asyncio:host/listeners@0.1.0",
    "asyncio:host/tcp-options@0.1.0",
    "asyncio:host/tls@0.1.0",
    "asyncio:host/unix-sockets@0.1.0",
];

/// Adds `asyncio:host` 0.1 to a linker, and nothing else. Its TCP sockets are those
/// that come from [`sockets::add_to_linker`](crate::imports::wasi_sockets::add_to_linker).
///
/// # Errors
///
/// When the linker has one of the interfaces already.
pub fn add_to_linker<T: StreamsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::listeners::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::tcp_options::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::tls::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    bindings::unix_sockets::add_to_linker::<T, StreamsImports>(linker, T::streams)
}

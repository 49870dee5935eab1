//! `wasi:sockets` 0.3: TCP and name look-ups of our own, behind our policy and our
//! counters. UDP is wasmtime-wasi's, which denies it.

mod hosts;
mod lookup;
pub(crate) mod tcp;
mod udp;

use wasmtime::component::Linker;
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup, types};
use wasmtime_wasi::p3::sockets::SocketError;

use super::StreamsImports;
use crate::ctx::{StreamsCtxView, StreamsView};

/// Adds `wasi:sockets` 0.3 to a linker, and nothing else.
///
/// # Errors
///
/// Fails when the linker has one of the interfaces already.
pub fn add_to_linker<T: StreamsView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<T, StreamsImports>(linker, T::streams)?;
    ip_name_lookup::add_to_linker::<T, StreamsImports>(linker, T::streams)
}

impl types::Host for StreamsCtxView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }
}

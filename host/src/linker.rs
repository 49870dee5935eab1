use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;

use crate::ctx::StreamsView;
use crate::imports::{asyncio_host, wasi_sockets};

/// Adds all interfaces that a guest may import: `wasi:sockets` 0.3 and `asyncio:host`
/// under the policy of the [`StreamsCtx`](crate::StreamsCtx), and the rest of WASI 0.3
/// and 0.2 from wasmtime-wasi.
///
/// Toolchains that are built on WASI 0.2 import its interfaces beside those of 0.3. The
/// policy does not apply to the sockets of 0.2: they come from the
/// [`WasiCtx`](wasmtime_wasi::WasiCtx), which denies them by default.
///
/// # Errors
///
/// Fails when the linker has one of the interfaces already.
pub fn add_to_linker<T: StreamsView + WasiView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    asyncio_streams_wasi::add_to_linker(linker)?;
    wasi_sockets::add_to_linker(linker)?;
    asyncio_host::add_to_linker(linker)
}

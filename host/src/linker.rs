use wasmtime::component::Linker;
use wasmtime_wasi::{WasiView, p2, p3};

use crate::StreamsView;
use crate::imports::{asyncio_host, wasi_sockets};

/// Adds everything a guest may import: `wasi:sockets` 0.3 and `asyncio:host` under
/// the policy of the [`StreamsCtx`](crate::StreamsCtx), the rest of WASI 0.3 and 0.2 from
/// wasmtime-wasi.
///
/// Guests in languages whose toolchains are built on WASI 0.2 import its
/// interfaces beside those of 0.3. Its sockets come from the
/// [`WasiCtx`](wasmtime_wasi::WasiCtx), which denies them unless told
/// otherwise; the policy does not apply to them.
///
/// # Errors
///
/// When the linker has one of the interfaces already.
pub fn add_to_linker<T: StreamsView + WasiView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)?;
    p3::cli::add_to_linker(linker)?;
    p3::clocks::add_to_linker(linker)?;
    p3::filesystem::add_to_linker(linker)?;
    p3::random::add_to_linker(linker)?;
    wasi_sockets::add_to_linker(linker)?;
    asyncio_host::add_to_linker(linker)
}

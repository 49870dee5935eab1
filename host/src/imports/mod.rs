//! The interfaces that guests import, implemented on the sockets and the sessions of
//! this crate. Only code in this folder asks the access guard.

pub mod asyncio_host;
pub mod wasi_sockets;

use wasmtime::component::HasData;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::StreamsCtxView;
use crate::access::{AccessGuard, SocketPermit};

/// What the bindings are implemented on.
pub(crate) struct StreamsImports;

impl HasData for StreamsImports {
    type Data<'a> = StreamsCtxView<'a>;
}

/// The permit of one more socket that the guest makes.
pub(crate) fn permit(guard: &AccessGuard) -> Result<SocketPermit, ErrorCode> {
    let reached = || ErrorCode::Other(Some("limit of sockets reached".to_owned()));
    guard.permit().ok_or_else(reached)
}

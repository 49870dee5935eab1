//! The interfaces that guests import, implemented on this crate's sockets and TLS
//! sessions. Only code in this folder asks the access guard.

mod accepting;
pub mod asyncio_host;
mod byte_streams;
mod headroom;
mod table;
pub mod wasi_sockets;

use wasmtime::component::HasData;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::access::{AccessGuard, SocketPermit};
use crate::ctx::StreamsCtxView;
use crate::quota::Quota;

/// The marker by which the bindings find a [`StreamsCtxView`].
pub(crate) struct StreamsImports;

impl HasData for StreamsImports {
    type Data<'a> = StreamsCtxView<'a>;
}

/// A permit for one more socket that the guest makes.
fn permit(guard: &AccessGuard) -> Result<SocketPermit, ErrorCode> {
    let reached = || ErrorCode::Other(Some("limit of sockets reached".to_owned()));
    guard.permit().ok_or_else(reached)
}

/// The guest's error for a quota. It is no `access-denied`: the same request may succeed
/// later.
fn over(quota: Quota) -> ErrorCode {
    ErrorCode::Other(Some(quota.to_string()))
}

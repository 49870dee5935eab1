//! The interfaces that guests import, implemented on the sockets and the sessions of
//! this crate. Only code in this folder asks the access guard.

pub mod asyncio_host;
pub mod wasi_sockets;

use wasmtime::component::HasData;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use crate::CtxView;
use crate::access::{Gate, Place};

/// What the bindings are implemented on.
pub(crate) struct Sockets;

impl HasData for Sockets {
    type Data<'a> = CtxView<'a>;
}

/// The place of one more socket that the guest makes.
pub(crate) fn place(gate: &Gate) -> Result<Place, ErrorCode> {
    let reached = || ErrorCode::Other(Some("limit of sockets reached".to_owned()));
    gate.place().ok_or_else(reached)
}

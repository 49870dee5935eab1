//! `wasi:sockets` 0.3: TCP and a name look-up of our own, behind our policy and
//! our counts. UDP is wasmtime-wasi's, which denies it. Unix sockets are beside
//! them, for [`capabilities`](crate::capabilities).

mod lookup;
mod share;
pub(crate) mod stream;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;
mod udp;
pub(crate) mod unix;

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup, types};
use wasmtime_wasi::p3::sockets::SocketError;

pub use self::share::SharedListeners;
pub(crate) use self::share::Sharing;
use crate::gate::Gate;
use crate::place::Place;
use crate::{CtxView, View};

/// What the bindings are implemented on.
pub struct Sockets;

impl HasData for Sockets {
    type Data<'a> = CtxView<'a>;
}

/// Adds `wasi:sockets` 0.3 to a linker, and nothing else.
///
/// # Errors
///
/// When the linker has one of the interfaces already.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<T, Sockets>(linker, T::asyncio_streams)?;
    ip_name_lookup::add_to_linker::<T, Sockets>(linker, T::asyncio_streams)
}

/// The place of one more socket that the guest makes.
pub(crate) fn place(gate: &Gate) -> Result<Place, types::ErrorCode> {
    let reached = || types::ErrorCode::Other(Some("limit of sockets reached".to_owned()));
    gate.place().ok_or_else(reached)
}

impl types::Host for CtxView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }
}

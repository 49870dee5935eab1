//! WASI for the programs that `asyncio-streams-host` runs, compiled once.
//!
//! The functions of wasmtime-wasi are generic over a store's data, so the compiler
//! generates their code in the crate that chooses the type of the data. This crate
//! chooses it, because that code is more than half of the host's: a change in the host
//! does not compile it again.

#![forbid(unsafe_code)]

use std::any::Any;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p2, p3};

/// The data of a program's store: WASI's context, the host's own, and the resources of
/// both.
pub struct StoreData {
    /// The host's context. Its type belongs to a crate that depends on this one.
    host: Box<dyn Any + Send>,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl StoreData {
    /// Makes the data of a store with no resources.
    pub fn new(wasi: WasiCtx, host: impl Any + Send) -> Self {
        Self {
            host: Box::new(host),
            wasi,
            table: ResourceTable::new(),
        }
    }

    /// Returns the host's context and the resources, or `None` if the store was made with
    /// a context of another type.
    pub fn host<T: Any>(&mut self) -> Option<(&mut T, &mut ResourceTable)> {
        Some((self.host.downcast_mut()?, &mut self.table))
    }

    /// Returns the resources.
    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Adds WASI 0.3 without its sockets, and WASI 0.2, for a program's store. The code of
/// WASI is generated here.
///
/// # Errors
///
/// Fails when the linker has one of the interfaces already.
pub fn add_to_program_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    add_to_linker(linker)
}

/// Adds WASI 0.3 without its sockets, and WASI 0.2, for any store.
///
/// # Errors
///
/// Fails when the linker has one of the interfaces already.
pub fn add_to_linker<T: WasiView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)?;
    p3::cli::add_to_linker(linker)?;
    p3::clocks::add_to_linker(linker)?;
    p3::filesystem::add_to_linker(linker)?;
    p3::random::add_to_linker(linker)
}

//! Runs a program for WASI 0.2 on the same engine as this project's guests, with
//! wasmtime-wasi's own sockets. The peers compiled for `wasm32-wasip2` need it.
//!
//! usage: wasip2 COMPONENT
//!
//! As `asyncio-streams run` does, it keeps compiled programs in the folder that
//! ASYNCIO_STREAMS_CACHE names.

#![forbid(unsafe_code)]

use asyncio_streams_host::{Cache, compile, engine};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, Store, format_err};
use wasmtime_wasi::p2::{add_to_linker_async, bindings::Command};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1);
    let path = path.context("usage: wasip2 COMPONENT")?;
    let program = std::fs::read(path)?;
    let engine = engine()?;
    let component = match std::env::var_os("ASYNCIO_STREAMS_CACHE") {
        Some(folder) => Cache::open(folder)?.component(&engine, &program, None)?,
        None => compile(&engine, &program, None)?,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(&engine, &component))
}

async fn run(engine: &Engine, component: &Component) -> Result<()> {
    let mut linker = Linker::new(engine);
    add_to_linker_async(&mut linker)?;
    let wasi = WasiCtx::builder()
        .inherit_stderr()
        .inherit_network()
        .allow_tcp(true)
        .build();
    let table = ResourceTable::new();
    let mut store = Store::new(engine, Program { wasi, table });
    // Nothing advances the engine's epoch.
    store.set_epoch_deadline(1);
    let command = Command::instantiate_async(&mut store, component, &linker).await?;
    let ended = command.wasi_cli_run().call_run(&mut store).await?;
    ended.map_err(|()| format_err!("the program returned an error"))
}

/// The data of the store.
struct Program {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Program {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

//! Runs the checks on wasmtime-wasi's own sockets.

use std::fs;
use std::sync::LazyLock;

use asyncio_streams_host::engine;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p3::bindings::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::support::{PATIENCE, component};

const OUTPUT: usize = 1 << 20;

/// The engine and the component, compiled once, because compiling takes longer than most
/// checks.
static SOCKETS: LazyLock<(Engine, Component)> = LazyLock::new(|| {
    let engine = engine().unwrap();
    let bytes = fs::read(component("sockets")).unwrap();
    let component = Component::from_binary(&engine, &bytes).unwrap();
    (engine, component)
});

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Runs the checks, which may use every address and no UDP, and returns what they have
/// printed.
pub(super) fn run(args: &[&str]) -> String {
    let stdout = MemoryOutputPipe::new(OUTPUT);
    let wasi = WasiCtx::builder()
        .arg("sockets")
        .args(args)
        .stdout(stdout.clone())
        .inherit_stderr()
        .inherit_network()
        .allow_tcp(true)
        .allow_udp(false)
        .allow_ip_name_lookup(true)
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, call(wasi)).await });
    let output = String::from_utf8(stdout.contents().to_vec()).unwrap();
    match ended {
        Ok(Ok(Ok(()))) => output,
        Ok(ended) => panic!("{args:?}: {ended:?} after {output}"),
        Err(_) => panic!("{args:?}: no end in time, after {output}"),
    }
}

async fn call(wasi: WasiCtx) -> wasmtime::Result<Result<(), ()>> {
    let (engine, component) = &*SOCKETS;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    let state = State {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    // Nothing advances the engine's epoch.
    store.set_epoch_deadline(1);
    let command = Command::instantiate_async(&mut store, component, &linker).await?;
    store
        .run_concurrent(async |store| command.wasi_cli_run().call_run(store).await)
        .await?
}

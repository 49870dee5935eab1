mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "asyncio:host/imports@0.1.0",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
            "wasi:sockets": wasmtime_wasi::p3::bindings::sockets,
        },
    });
}

pub(super) use generated::asyncio::host::tcp_options;

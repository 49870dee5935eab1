mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "asyncio:host/imports@0.1.0",
        imports: {
            "asyncio:host/tls.[method]connection.send": store | trappable,
            "asyncio:host/tls.[method]connection.receive": store | trappable,
            "asyncio:host/unix-sockets.[method]unix-socket.listen": store | trappable,
            "asyncio:host/unix-sockets.[method]unix-socket.receive": store | trappable,
            "asyncio:host/unix-sockets.[method]unix-socket.send": store | trappable,
            default: trappable,
        },
        require_store_data_send: true,
        with: {
            "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
            "wasi:sockets": wasmtime_wasi::p3::bindings::sockets,
        },
    });
}

pub(super) use generated::asyncio::host::{listeners, tcp_options, tls, unix_sockets};

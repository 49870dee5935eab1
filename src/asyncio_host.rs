//! `asyncio:host`, as its bindings have it. What of it nobody calls is not
//! imported.

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "asyncio:host/imports@0.1.0",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
        },
    });
}

pub(crate) use bindings::asyncio::host::{listeners, tcp_options, tls, unix_sockets};

//! The bindings of the WIT package `asyncio:host`.
//!
//! A program imports only the functions it refers to: the linker drops the others.

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

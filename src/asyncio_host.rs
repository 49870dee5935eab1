//! The bindings of the WIT package `asyncio:host`.
//!
//! A program imports only the functions it refers to: the linker drops the others.

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "asyncio:host/imports@0.1.0",
        // The linker joins sections of one name. Without a suffix, a program with bindings of
        // its own for this world could not be encoded as a component.
        type_section_suffix: " of asyncio-streams",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
        },
    });
}

pub(crate) use bindings::asyncio::host::{listeners, tcp_options, tls, unix_sockets};

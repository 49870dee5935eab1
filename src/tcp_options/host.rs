//! As `asyncio:host` has it. What of it nobody calls is not imported.

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

pub(super) use bindings::asyncio::host::tcp_options::{
    reset, set_no_delay, set_reuse_address, set_reuse_port,
};

pub(super) const AVAILABLE: bool = true;

//! The streams component: the exports of the WIT package `asyncio:streams`, over this library.
//! They convert and delegate; the rules are in the library.

#![expect(
    unsafe_code,
    unreachable_pub,
    reason = "the generated bindings cross to the host"
)]

mod adopt;
mod canceller;
mod convert;
mod handover;
mod server;
mod socket_options;
mod sockets;
mod ssl;
mod streams;

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "streams-tcp",
        with: {
            "wasi:clocks/types@0.3.2": wasi::clocks::types,
            "wasi:clocks/monotonic-clock@0.3.2": wasi::clocks::monotonic_clock,
            "wasi:sockets/types@0.3.2": wasi::sockets::types,
            "wasi:sockets/ip-name-lookup@0.3.2": wasi::sockets::ip_name_lookup,
        },
        pub_export_macro: true,
    });
}

use bindings::exports::asyncio::streams as wit;

struct Component;

bindings::export!(Component with_types_in bindings);

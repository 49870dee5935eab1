//! The end-to-end tests: guest components run in the command, over real sockets, against
//! each other and against real peers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(unreachable_pub, reason = "the guests' library has it as well")]
#[path = "../guests/src/noise.rs"]
mod noise;
mod support;

mod backpressure;
mod benchmark_servers;
mod bursts;
mod command;
mod conformance;
mod denials;
mod documents;
mod examples;
mod http;
mod interop;
mod listening;
mod looking_up;
mod memory;
mod misbehaving_peers;
mod no_delay;
mod operating;
mod outputs;
mod packages;
mod python;
mod refusals;
mod sharing;
mod slow_peers;
mod sockets;
mod stdio;
mod tcp_options;
mod tls;
mod tls_raw;
mod transfer;
mod unix;
mod unix_sockets;
mod waiting;

//! Runs many clients of an echo server; linked statically.
use asyncio_streams as net;
include!("../behaviours/echo-clients.rs");

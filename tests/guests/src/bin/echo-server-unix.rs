//! Sends back what it receives on a Unix socket; linked statically.
use asyncio_streams as net;
include!("../both_forms/echo-server-unix.rs");

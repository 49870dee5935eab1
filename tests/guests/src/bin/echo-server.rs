//! Sends back what it receives; linked statically.
use asyncio_streams as net;
include!("../both_forms/echo-server.rs");

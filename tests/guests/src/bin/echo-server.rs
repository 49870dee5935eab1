//! Sends back what it receives; linked statically.
use asyncio_streams as net;
include!("../behaviours/echo-server.rs");

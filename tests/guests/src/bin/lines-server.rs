//! Counts the lines it receives; linked statically.
use asyncio_streams as net;
include!("../both_forms/lines-server.rs");

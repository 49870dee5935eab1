//! Counts the lines it receives; linked statically.
use asyncio_streams as net;
include!("../behaviours/lines-server.rs");

//! Writes without draining; linked statically.
use asyncio_streams as net;
include!("../behaviours/undrained-writes.rs");

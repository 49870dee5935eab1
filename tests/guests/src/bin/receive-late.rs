//! Receives much, and late; linked statically.
use asyncio_streams as net;
include!("../behaviours/receive-late.rs");

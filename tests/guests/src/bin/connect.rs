//! Connects; linked statically.
use asyncio_streams as net;
include!("../behaviours/connect.rs");

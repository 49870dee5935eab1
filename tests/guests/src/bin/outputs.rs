//! Prints more than is read; linked statically.
use asyncio_streams as net;
include!("../behaviours/outputs.rs");

//! Connects until it is refused; linked statically.
use asyncio_streams as net;
include!("../behaviours/connects.rs");

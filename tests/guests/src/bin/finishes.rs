//! Serves until it is stopped, and lets its clients finish; linked statically.
use asyncio_streams as net;
include!("../behaviours/finishes.rs");

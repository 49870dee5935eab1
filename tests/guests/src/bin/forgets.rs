//! Leaves a connection behind; linked statically.
use asyncio_streams as net;
include!("../behaviours/forgets.rs");

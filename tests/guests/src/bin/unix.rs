//! Unix sockets.
use asyncio_streams as net;
include!("../behaviours/unix.rs");

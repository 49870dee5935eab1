//! Does what its clients say.
use asyncio_streams as net;
include!("../behaviours/commanded-server.rs");

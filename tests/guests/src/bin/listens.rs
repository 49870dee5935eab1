//! Listens and ends.
use asyncio_streams as net;
include!("../behaviours/listens.rs");

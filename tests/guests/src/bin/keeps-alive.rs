//! Probes idle connections.
use asyncio_streams as net;
include!("../behaviours/keeps-alive.rs");

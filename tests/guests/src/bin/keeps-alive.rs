//! Serves with probes of idle connections; linked statically.
use asyncio_streams as net;
include!("../behaviours/keeps-alive.rs");

//! TLS, as it is told.
use asyncio_streams as net;
include!("../behaviours/tls.rs");

//! Runs a TLS client or server whose steps are its arguments; linked statically.
use asyncio_streams as net;
include!("../both_forms/tls.rs");

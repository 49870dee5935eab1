//! An echo, a source or a sink of bytes over TLS; linked statically.
use asyncio_streams as net;
include!("../both_forms/tls-flows.rs");

//! Makes Unix sockets of every kind and leaves nothing behind; linked statically.
use asyncio_streams as net;
include!("../both_forms/unix-churn.rs");

//! Uses Unix sockets; linked statically.
use std::future::ready as adopted;

use asyncio_streams as net;
include!("../both_forms/unix.rs");

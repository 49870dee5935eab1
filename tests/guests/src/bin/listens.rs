//! Listens, prints the addresses, and ends; linked statically.
use asyncio_streams as net;
include!("../behaviours/listens.rs");

//! Serves, and executes the commands of its clients; linked statically.
use asyncio_streams as net;
include!("../behaviours/commanded-server.rs");

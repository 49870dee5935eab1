//! Sends much; linked statically.
use asyncio_streams as net;
include!("../behaviours/send.rs");

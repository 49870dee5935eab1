//! Ends its side, then reads the answer; linked statically.
use asyncio_streams as net;
include!("../behaviours/answer-client.rs");

//! Connects while other calls wait; linked statically.
use asyncio_streams as net;
include!("../behaviours/pending.rs");

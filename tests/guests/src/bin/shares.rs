//! Serves on a port that others may share.
use asyncio_streams as net;
include!("../behaviours/shares.rs");

//! Returns right after writing; linked statically.
use asyncio_streams as net;
include!("../behaviours/leave.rs");

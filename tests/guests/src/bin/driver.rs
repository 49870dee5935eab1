//! Does to a connection what it is asked to; linked statically.
use asyncio_streams as net;
include!("../behaviours/driver.rs");

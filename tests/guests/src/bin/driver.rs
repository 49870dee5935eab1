//! Does to a connection what its control connection asks for; linked statically.
use asyncio_streams as net;
include!("../behaviours/driver.rs");

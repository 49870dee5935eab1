//! Serves listeners that it inherits from its host; linked statically.
use std::future::ready as adopted;

use asyncio_streams as net;
include!("../both_forms/inherited.rs");

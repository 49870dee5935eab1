//! Serves listeners that its host hands over.
use std::future::ready as adopted;

use asyncio_streams as net;
include!("../behaviours/inherited.rs");

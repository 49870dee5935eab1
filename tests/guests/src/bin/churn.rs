//! Makes and accepts connections on demand; linked statically.
use asyncio_streams as net;
include!("../behaviours/churn.rs");

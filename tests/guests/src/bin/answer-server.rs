//! Answers once a question has ended; linked statically.
use asyncio_streams as net;
include!("../behaviours/answer-server.rs");

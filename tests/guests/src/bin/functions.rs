//! Checks connecting and serving; linked statically.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check that fails ends the program"
)]
use asyncio_streams as net;
include!("../both_forms/functions.rs");

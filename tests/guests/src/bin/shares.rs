//! Serves on a port that other programs may share; linked statically.
use asyncio_streams as net;
include!("../both_forms/shares.rs");

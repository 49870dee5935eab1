//! Runs the behaviour that the file is named after; linked statically.

use std::fmt::Debug;
use std::ops::Deref;
use std::time::Duration;

use asyncio_streams as net;

#[path = "../behaviours/mod.rs"]
mod behaviours;

async fn read_within(
    reader: &net::StreamReader,
    n: usize,
    limit: Duration,
) -> Result<Result<impl Deref<Target = [u8]> + Debug, net::ReadError>, net::TimedOut> {
    net::timeout(limit, reader.read(n)).await
}

asyncio_streams::run!(behaviours::program);

//! Runs the behaviour that the file is named after; written against the WIT.

use std::time::Duration;

use guests::composed as net;

#[path = "../behaviours/mod.rs"]
mod behaviours;

async fn read_within(
    reader: &net::StreamReader,
    n: usize,
    limit: Duration,
) -> Result<Result<bytes::Bytes, net::ReadError>, asyncio_streams::TimedOut> {
    reader.read_within(n, limit).await
}

asyncio_streams::run!(behaviours::program);

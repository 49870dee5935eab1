//! Reads with time limits; written against the WIT.
use guests::composed as net;
include!("../behaviours/timed-reads.rs");

async fn read_within(
    reader: &net::StreamReader,
    n: usize,
    limit: Duration,
) -> Result<Result<bytes::Bytes, net::ReadError>, asyncio_streams::TimedOut> {
    reader.read_within(n, limit).await
}

//! Reads with time limits; linked statically.
use asyncio_streams as net;
include!("../behaviours/timed-reads.rs");

async fn read_within(
    reader: &net::StreamReader,
    n: usize,
    limit: Duration,
) -> Result<
    Result<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + std::fmt::Debug, net::ReadError>,
    net::TimedOut,
> {
    net::timeout(limit, reader.read(n)).await
}

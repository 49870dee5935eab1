//! Sends noise through `write` and `drain`, and waits until it is closed.
//!
//! Arguments: host, port, bytes and a seed.


use asyncio_streams::println;
use guests::noise::Noise;
use crate::net::open_connection;

use super::Outcome;

const CHUNK: usize = 65536;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes, seed] = args.as_slice() else {
        return Err("usage: send HOST PORT BYTES SEED".into());
    };
    let bytes: usize = bytes.parse()?;
    let mut noise = Noise::new(seed.parse()?);
    let (_reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    let mut sent = 0;
    while sent < bytes {
        let count = (bytes - sent).min(CHUNK);
        writer.write(noise.bytes(count))?;
        writer.drain().await?;
        sent += count;
    }
    writer.close();
    writer.wait_closed().await?;
    println!("sent {sent}");
    Ok(())
}

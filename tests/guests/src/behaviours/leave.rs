//! Writes noise and returns at once, without waiting.
//!
//! Arguments: host, port, bytes, a seed, and whether to `close` the writer
//! first or only to `drop` it.


use asyncio_streams::println;
use guests::noise::Noise;
use crate::net::open_connection;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes, seed, how] = args.as_slice() else {
        return Err("usage: leave HOST PORT BYTES SEED close|drop".into());
    };
    let (_reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    writer.write(Noise::new(seed.parse()?).bytes(bytes.parse()?))?;
    if how == "close" {
        writer.close();
    }
    println!("leaving");
    Ok(())
}

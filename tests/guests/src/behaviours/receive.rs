//! Receives noise to the end of the data and compares it.
//!
//! Arguments: host, port, a seed, and `late` to read nothing until a second
//! connection to the same peer brings a line.


use asyncio_streams::println;
use guests::noise::Noise;
use crate::net::open_connection;

use super::Outcome;

const CHUNK: usize = 65536;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let (host, port, seed, late) = match args.as_slice() {
        [host, port, seed] => (host, port, seed, false),
        [host, port, seed, late] if late == "late" => (host, port, seed, true),
        _ => return Err("usage: receive HOST PORT SEED [late]".into()),
    };
    let mut noise = Noise::new(seed.parse()?);
    let (reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    if late {
        let (control, _control_writer) = open_connection(host.as_str(), port.as_str()).await?;
        control.readline().await?;
    }
    let mut received = 0;
    loop {
        let data = reader.read(CHUNK).await?;
        if data.is_empty() {
            break;
        }
        noise.check(&data)?;
        received += data.len();
    }
    writer.close();
    writer.wait_closed().await?;
    println!("received {received}");
    Ok(())
}

//! Reads with time limits that often pass, and compares the received bytes.
//!
//! At first the peer sends nothing, so that the limits pass; then the program asks for the
//! bytes.
//!
//! Arguments: host, port, bytes and a seed.

use std::time::Duration;

use asyncio_streams::println;
use guests::noise::Noise;
use crate::net::open_connection;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes, seed] = args.as_slice() else {
        return Err("usage: timed-reads HOST PORT BYTES SEED".into());
    };
    let bytes: usize = bytes.parse()?;
    let mut noise = Noise::new(seed.parse()?);
    let (reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    let mut timeouts: u64 = 0;
    while timeouts < 10 {
        match crate::read_within(&reader, 1, limit(timeouts)).await {
            Err(_) => timeouts += 1,
            Ok(early) => return Err(format!("nothing was sent: {early:?}").into()),
        }
    }
    let mut received = 0;
    while received < bytes {
        // Asks for one piece at a time, and reads it with limits that pass before it
        // comes.
        writer.write(b"?")?;
        let wanted = (bytes - received).min(1000);
        let mut piece = 0;
        while piece < wanted {
            match crate::read_within(&reader, wanted - piece, limit(timeouts)).await {
                Err(_) => timeouts += 1,
                Ok(data) => {
                    let data = data?;
                    if data.is_empty() {
                        return Err("the data ended early".into());
                    }
                    noise.check(&data)?;
                    piece += data.len();
                }
            }
        }
        received += piece;
    }
    writer.close();
    writer.wait_closed().await?;
    println!("received {received} with {timeouts} timeouts");
    Ok(())
}

/// Returns a limit that passes at once, or soon.
fn limit(timeouts: u64) -> Duration {
    Duration::from_micros(timeouts % 2 * 50)
}

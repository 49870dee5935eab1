//! Writes many times in a row to a peer that does not read, then aborts.
//!
//! Arguments: host, port, number of writes and bytes in each.


use asyncio_streams::println;
use crate::net::{WriteError, open_connection};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, writes, bytes] = args.as_slice() else {
        return Err("usage: undrained-writes HOST PORT WRITES BYTES".into());
    };
    let (writes, bytes): (usize, usize) = (writes.parse()?, bytes.parse()?);
    let (_reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    let data = vec![b'x'; bytes];
    for _ in 0..writes {
        writer.write(&data)?;
    }
    println!("buffered {}", writer.transport().get_write_buffer_size());
    writer.transport().abort();
    match (writer.write(b"more"), writer.drain().await) {
        (Err(WriteError::Aborted), Err(WriteError::Aborted)) => {}
        other => return Err(format!("after abort: {other:?}").into()),
    }
    writer.wait_closed().await?;
    println!("aborted");
    Ok(())
}

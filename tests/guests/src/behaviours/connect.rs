//! Connects and prints `connected`.
//!
//! Arguments: host, port, and the local host and port to bind to first.


use asyncio_streams::println;
use crate::net::ConnectOptions;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, local @ ..] = args.as_slice() else {
        return Err("usage: connect HOST PORT [LOCAL-HOST LOCAL-PORT]".into());
    };
    let mut options = ConnectOptions::new();
    if let [local_host, local_port] = local {
        options = options.local_addr(local_host.as_str(), local_port.as_str());
    }
    let (_reader, writer) = options
        .open_connection(host.as_str(), port.as_str())
        .await?;
    println!("connected");
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

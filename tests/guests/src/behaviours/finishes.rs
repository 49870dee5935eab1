//! Sends lines back. When its host stops it, it lets its clients finish, and prints that.
//! It starts another server then, which is stopped as well.
//!
//! Arguments: host and port.


use asyncio_streams::println;
use crate::net::{StreamReader, StreamWriter, start_server};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: finishes HOST PORT".into());
    };
    let server = start_server(echo, host.as_str(), port.as_str()).await?;
    server.serve_forever().await?;
    println!("no longer serving");
    let another = start_server(echo, host.as_str(), port.as_str()).await?;
    another.serve_forever().await?;
    println!("nor is another server");
    server.wait_closed().await;
    println!("all clients have left");
    Ok(())
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(&line)?;
        writer.drain().await?;
    }
}

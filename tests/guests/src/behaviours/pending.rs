//! Connects to a server of its own while another connection's read and drain
//! wait, and while its server waits for connections.


use asyncio_streams::{println, spawn};
use crate::net::{StreamReader, StreamWriter, open_connection, start_server};

use super::Outcome;

const HOST: &str = "127.0.0.1";
/// More than all buffers on the way to a peer that does not read.
const TOO_MUCH: usize = 48 * 1024 * 1024;

pub(crate) async fn program() -> Outcome {
    let server = start_server(serve, HOST, 0).await?;
    let port = server.sockets().first().and_then(|address| address.port());
    let port = port.ok_or("the server has no port")?;

    let (reader, writer) = open_connection(HOST, port).await?;
    writer.write(b"stall\n")?;
    reader.readline().await?;
    writer.write(vec![0; TOO_MUCH])?;
    let reading = spawn(async move { reader.read(1).await.map(|_| ()) });
    let draining = spawn({
        let writer = writer.clone();
        async move { writer.drain().await }
    });

    for _ in 0..10 {
        let (reader, writer) = open_connection(HOST, port).await?;
        writer.write(b"hello\n")?;
        if &reader.readline().await?[..] != b"hello\n" {
            return Err("another line came back".into());
        }
        writer.close();
        writer.wait_closed().await?;
    }
    println!("ten came back");

    // Both were waiting all the time, so neither has an answer yet.
    writer.transport().abort();
    let (reading, draining) = (reading.await?, draining.await?);
    println!("read: {reading:?}, drain: {draining:?}");
    Ok(())
}

/// Sends lines back; stops reading after `stall`.
async fn serve(reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            writer.close();
            return Ok(());
        }
        writer.write(&line)?;
        if &line[..] == b"stall\n" {
            std::future::pending::<()>().await;
        }
    }
}

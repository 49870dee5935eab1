//! Passes a connection on to another server, with the traits of the crate `futures` alone;
//! linked statically.
//!
//! Argument: the port of the server on 127.0.0.1.

use std::error::Error;

use asyncio_streams::{StreamReader, StreamWriter, open_connection, start_server};
use futures::future::try_join;
use futures::io::{AsyncWriteExt, copy};

async fn program() -> Result<(), Box<dyn Error>> {
    let port = asyncio_streams::args().nth(1).ok_or("usage: proxy PORT")?;
    let server = start_server(
        move |reader, writer| pass_on(reader, writer, port.clone()),
        "127.0.0.1",
        0,
    )
    .await?;
    server.serve_forever().await?;
    Ok(())
}

async fn pass_on(
    client_reader: StreamReader,
    client_writer: StreamWriter,
    port: String,
) -> Result<(), Box<dyn Error>> {
    let (server_reader, server_writer) = open_connection("127.0.0.1", port).await?;
    try_join(
        one_way(client_reader, server_writer),
        one_way(server_reader, client_writer),
    )
    .await?;
    Ok(())
}

async fn one_way(reader: StreamReader, mut writer: StreamWriter) -> std::io::Result<()> {
    copy(reader, &mut writer).await?;
    AsyncWriteExt::close(&mut writer).await
}

asyncio_streams::run!(program);

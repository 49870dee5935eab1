//! Runs a server whose callback panics. Argument: the address.

use asyncio_streams::{StreamReader, StreamWriter, start_server};

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let host = asyncio_streams::args().nth(1).unwrap_or_default();
    let server = start_server(flooded, host.as_str(), 0).await?;
    server.serve_forever().await?;
    Ok(())
}

#[expect(clippy::panic, reason = "it is what this program is for")]
async fn flooded(reader: StreamReader, writer: StreamWriter) {
    let line = reader.readline().await;
    drop(writer);
    panic!("flooded by {line:?}");
}

asyncio_streams::run!(program);

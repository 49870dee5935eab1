//! The reference's echo server: sends back what it receives, once.
//!
//! Arguments: address (127.0.0.1) and port (8888).

use asyncio_streams::{Address, StreamReader, StreamWriter, println, start_server};

async fn handle_echo(
    reader: StreamReader,
    writer: StreamWriter,
) -> Result<(), Box<dyn std::error::Error>> {
    let data = reader.read(100).await?;
    let message = String::from_utf8_lossy(&data);
    let addr = writer.peername().as_ref().map(getsockname);

    println!("Received '{message}' from {}", addr.unwrap_or_default());

    println!("Send: '{message}'");
    writer.write(&data)?;
    writer.drain().await?;

    println!("Close the connection");
    writer.close();
    Ok(())
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize, default| args.get(index).map_or(default, String::as_str);
    let server = start_server(handle_echo, arg(0, "127.0.0.1"), arg(1, "8888")).await?;

    let addr = server.sockets().first().map(getsockname);
    println!("Serving on {}", addr.unwrap_or_default());

    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

/// An address as Python prints it: `('127.0.0.1', 8888)`.
fn getsockname(address: &Address) -> String {
    match address.ip() {
        Some(ip) => format!("('{}', {})", ip.ip(), ip.port()),
        None => address.to_string(),
    }
}

asyncio_streams::run!(program);

//! The reference's echo client: sends a message and prints the answer.
//!
//! Arguments: address (127.0.0.1), port (8888), message (Hello World!), and
//! `--no-wait` to end without waiting for the connection to be closed.

use asyncio_streams::{open_connection, println};

async fn tcp_echo_client(
    host: &str,
    port: &str,
    message: &str,
    wait: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let (reader, writer) = open_connection(host, port).await?;

    println!("Send: '{message}'");
    writer.write(message)?;

    let data = reader.read(100).await?;
    println!("Received: '{}'", String::from_utf8_lossy(&data));

    println!("Close the connection");
    writer.close();
    if wait {
        writer.wait_closed().await?;
    }
    Ok(())
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let wait = !args.iter().any(|arg| arg == "--no-wait");
    args.retain(|arg| arg != "--no-wait");
    let arg = |index: usize, default| args.get(index).map_or(default, String::as_str);
    tcp_echo_client(
        arg(0, "127.0.0.1"),
        arg(1, "8888"),
        arg(2, "Hello World!"),
        wait,
    )
    .await
}

asyncio_streams::run!(program);

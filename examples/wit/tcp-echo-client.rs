//! The reference's echo client as a component written against the WIT: it
//! imports `asyncio:streams` and never sees a socket.
//!
//! Arguments: address (127.0.0.1), port (8888), message (Hello World!), and
//! `--no-wait` to end without waiting for the connection to be closed.
#![expect(missing_docs, reason = "the bindings are generated")]

use asyncio_streams::println;

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::streams::{Port, open_connection};

async fn tcp_echo_client(
    host: &str,
    port: &str,
    message: &str,
    wait: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let port = Port::Service(port.into());
    let (reader, writer) = open_connection(Some(host.into()), port, None).await?;

    println!("Send: '{message}'");
    writer.write(message.as_bytes())?;

    let data = reader.read(Some(100)).await?;
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

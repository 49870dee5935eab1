//! The reference's echo server as a component written against the WIT: it
//! imports `asyncio:streams` and never sees a socket.
//!
//! Arguments: address (127.0.0.1) and port (8888).
#![expect(missing_docs, reason = "the bindings are generated")]

use asyncio_streams::{println, spawn};

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::server::start_server;
use asyncio::streams::streams::{Port, StreamReader, StreamWriter};
use asyncio::streams::types::SocketAddress;

async fn handle_echo(
    reader: StreamReader,
    writer: StreamWriter,
) -> Result<(), Box<dyn std::error::Error>> {
    let data = reader.read(Some(100)).await?;
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
    let arg =
        |index: usize, default: &str| args.get(index).map_or(default, String::as_str).to_owned();
    let port = Port::Service(arg(1, "8888"));
    let server = start_server(Some(vec![arg(0, "127.0.0.1")]), port, None).await?;

    let addr = server.sockets().first().map(getsockname);
    println!("Serving on {}", addr.unwrap_or_default());

    // Until the server is closed: when the program is to stop.
    while let Ok((reader, writer)) = server.accept().await {
        spawn(async {
            if let Err(error) = handle_echo(reader, writer).await {
                asyncio_streams::eprintln!("handle_echo: {error}");
            }
        });
    }
    Ok(())
}

/// An address as Python prints it: `('127.0.0.1', 8888)`.
fn getsockname(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            format!("('{a}.{b}.{c}.{d}', {})", v4.port)
        }
        SocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            let address = std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h);
            format!("('{address}', {})", v6.port)
        }
        SocketAddress::Unix(_) => "''".into(),
    }
}

asyncio_streams::run!(program);

//! Closes a hundred servers and sees that nobody listens any more; linked
//! statically.

use asyncio_streams::{open_connection, println, start_server};

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let mut refused = 0;
    for _ in 0..100 {
        let server = start_server(async |_, _| {}, "127.0.0.1", 0).await?;
        let port = server.sockets().first().and_then(|address| address.port());
        server.close();
        server.wait_closed().await;
        match open_connection("127.0.0.1", port.unwrap_or_default()).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => refused += 1,
            Err(error) => println!("{error}"),
            Ok(_) => println!("connected"),
        }
    }
    println!("refused {refused}");
    Ok(())
}

asyncio_streams::run!(program);

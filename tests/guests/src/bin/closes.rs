//! Closes a hundred servers on one port, and connects there after each; linked
//! statically. Argument: the port.

use asyncio_streams::{open_connection, println, start_server};

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = asyncio_streams::args()
        .nth(1)
        .ok_or("usage: closes PORT")?
        .parse()?;
    let mut refused = 0;
    for _ in 0..100 {
        let server = start_server(async |_, _| {}, "127.0.0.1", port).await?;
        server.close();
        server.wait_closed().await;
        match open_connection("127.0.0.1", port).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => refused += 1,
            Err(error) => println!("{error}"),
            Ok(_) => println!("connected"),
        }
    }
    println!("refused {refused}");
    Ok(())
}

asyncio_streams::run!(program);

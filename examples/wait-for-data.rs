//! The reference's fifth program: registers an open socket to wait for data using
//! streams.

use std::rc::Rc;

use asyncio_streams::{ConnectOptions, println, socketpair, spawn};

async fn wait_for_data() -> Result<(), Box<dyn std::error::Error>> {
    // Create a pair of connected sockets.
    let (rsock, wsock) = socketpair()?;

    // Register the open socket to wait for data.
    let (reader, writer) = ConnectOptions::new().adopt(rsock).await?;

    // Simulate the reception of data from the network
    let wsock = Rc::new(wsock);
    let network = wsock.clone();
    spawn(async move { network.send("abc") });

    // Wait for data
    let data = reader.read(100).await?;

    // Got data, we are done: close the socket
    println!("Received: {}", String::from_utf8_lossy(&data));
    writer.close();

    // Close the second socket
    drop(wsock);
    Ok(())
}

asyncio_streams::run!(wait_for_data);

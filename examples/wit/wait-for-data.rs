//! The reference's fifth program as a component written against the WIT: registers
//! an open socket to wait for data using streams.
#![expect(missing_docs, reason = "the bindings are generated")]

use std::rc::Rc;

use asyncio_streams::{println, spawn};

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::sockets::{open_connection, socketpair};

async fn wait_for_data() -> Result<(), Box<dyn std::error::Error>> {
    // Create a pair of connected sockets.
    let (rsock, wsock) = socketpair()?;

    // Register the open socket to wait for data.
    let (reader, writer) = open_connection(rsock, None).await?;

    // Simulate the reception of data from the network
    let wsock = Rc::new(wsock);
    let network = wsock.clone();
    spawn(async move { network.send(b"abc") });

    // Wait for data
    let data = reader.read(Some(100)).await?;

    // Got data, we are done: close the socket
    println!("Received: {}", String::from_utf8_lossy(&data));
    writer.close();

    // Close the second socket
    drop(wsock);
    Ok(())
}

asyncio_streams::run!(wait_for_data);

// Sends back what it receives, to the end of the data; any number of
// connections at once.
//
// Arguments: hosts (none: all interfaces), and a port.

use std::error::Error;

use net::{Hosts, StreamReader, StreamWriter, start_server};

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let mut hosts: Vec<String> = asyncio_streams::args().skip(1).collect();
    let port = hosts.pop().ok_or("usage: echo-server [HOST]... PORT")?;
    let hosts = match hosts.is_empty() {
        true => Hosts::from(()),
        false => hosts.into(),
    };
    let server = start_server(echo, hosts, port).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let data = reader.read(65536).await?;
        if data.is_empty() {
            break;
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
    writer.close();
    Ok(())
}

asyncio_streams::run!(program);

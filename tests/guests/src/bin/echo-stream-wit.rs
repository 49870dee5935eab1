//! Sends back what it receives as one stream of bytes, with no call for each
//! chunk; written against the WIT.
//!
//! Arguments: a host and a port.

use asyncio_streams::spawn;
use guests::composed::bindings::asyncio::streams::server::start_server;
use guests::composed::bindings::asyncio::streams::streams::{Port, StreamReader, StreamWriter};

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: echo-stream-wit HOST PORT".into());
    };
    let port = Port::Service(port.clone());
    let server = start_server(Some(vec![host.clone()]), port, None).await?;
    loop {
        let (reader, writer) = server.accept().await?;
        drop(spawn(echo(reader, writer)));
    }
}

/// An error means that the peer is gone.
async fn echo(reader: StreamReader, writer: StreamWriter) {
    let received = StreamReader::into_stream(reader).await;
    drop(writer.write_stream(received).await);
    writer.close();
}

asyncio_streams::run!(program);

// A server that speaks TLS as `bench`: an echo, a source or a sink of bytes; any
// number of connections at once. A source sends without end. A sink counts, and
// answers how many bytes there were once they end with a newline.
//
// Arguments: `echo`, `source` or `sink`, a host and a port.

use std::error::Error;

use net::{Hosts, ServerOptions, SslContext, StreamReader, StreamWriter};

type Outcome = Result<(), Box<dyn Error>>;

const USAGE: &str = "usage: tls-flows echo|source|sink HOST PORT";

/// The number of times that a source sends the bytes 0 to 250 in one write.
const REPEATED: usize = 1024;

#[derive(Clone, Copy)]
enum Flow {
    Echo,
    Source,
    Sink,
}

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [flow, host, port] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let flow = match flow.as_str() {
        "echo" => Flow::Echo,
        "source" => Flow::Source,
        "sink" => Flow::Sink,
        _ => return Err(USAGE.into()),
    };
    let context = SslContext::server().use_identity("bench");
    let serve = move |reader, writer| serve(flow, reader, writer);
    let server = ServerOptions::new()
        .ssl(context)
        .start_server(serve, Hosts::from(host.as_str()), port.as_str())
        .await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn serve(flow: Flow, reader: StreamReader, writer: StreamWriter) -> Outcome {
    match flow {
        Flow::Echo => echo(&reader, &writer).await?,
        Flow::Source => source(&writer).await,
        Flow::Sink => sink(&reader, &writer).await?,
    }
    writer.close();
    Ok(())
}

async fn echo(reader: &StreamReader, writer: &StreamWriter) -> Outcome {
    loop {
        let data = reader.read(65536).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

/// Sends until the client has gone.
async fn source(writer: &StreamWriter) {
    let block = (0..=250).collect::<Vec<u8>>().repeat(REPEATED);
    while writer.write(&block).is_ok() && writer.drain().await.is_ok() {}
}

async fn sink(reader: &StreamReader, writer: &StreamWriter) -> Outcome {
    let mut bytes = 0;
    loop {
        let data = reader.read(65536).await?;
        bytes += data.len();
        match data.last() {
            None => return Ok(()),
            Some(b'\n') => break,
            Some(_) => {}
        }
    }
    writer.write(format!("{bytes}\n"))?;
    Ok(())
}

asyncio_streams::run!(program);

//! Sends one byte stream through an echo server and receives another, with nothing but
//! byte streams between; written against the WIT.
//!
//! Arguments: host, port, and how many bytes to send.

use asyncio_streams::{println, spawn};
use guests::composed::bindings::asyncio::streams::streams::{
    Port, StreamReader, WriteError, from_sink, from_stream, open_connection,
};
use guests::noise::Noise;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes] = args.as_slice() else {
        return Err("usage: byte-stream-wit HOST PORT BYTES".into());
    };
    let bytes: usize = bytes.parse()?;
    let (source, stream) = from_sink().await;
    let port = Port::Service(port.clone());
    let (reader, writer) = open_connection(Some(host.clone()), port, None).await?;

    let fed = spawn(async move {
        for chunk in Noise::new(7).bytes(bytes).chunks(10_000) {
            source.write(chunk)?;
            source.drain().await?;
        }
        source.write_eof()
    });
    let sent = spawn(async move {
        let sent = writer.write_stream(stream).await?;
        writer.write_eof()?;
        Ok::<_, WriteError>(sent)
    });
    let stream = StreamReader::into_stream(reader).await;
    let received = from_stream(stream, None).await?.read(None).await?;
    fed.await??;
    println!("sent {}", sent.await??);
    println!("same {}", received == Noise::new(7).bytes(bytes));
    Ok(())
}

asyncio_streams::run!(program);

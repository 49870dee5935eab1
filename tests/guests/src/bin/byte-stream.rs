//! Sends what comes out of one stream of bytes through an echo and prints what
//! comes out of another; linked statically. Nothing but streams in between.
//!
//! Arguments: host, port, and how many bytes to send.

use asyncio_streams::{from_stream, open_connection, pipe, println, spawn};
use guests::noise::Noise;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes] = args.as_slice() else {
        return Err("usage: byte-stream HOST PORT BYTES".into());
    };
    let bytes: usize = bytes.parse()?;
    let (source, stream) = pipe();
    let (reader, writer) = open_connection(host.as_str(), port.as_str()).await?;

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
        Ok::<_, asyncio_streams::WriteError>(sent)
    });
    let received = from_stream(reader.into_stream()).read_to_end().await?;
    fed.await??;
    println!("sent {}", sent.await??);
    println!("same {}", received == Noise::new(7).bytes(bytes));
    Ok(())
}

asyncio_streams::run!(program);

//! Sends the bytes of a pipe through an echo and reads them back from a byte stream; linked
//! statically. The byte streams also pass through wit-bindgen's type.
//!
//! Arguments: IP address, port, and the number of bytes to send.

use std::net::IpAddr;

use asyncio_streams::{from_stream, open_connection, pipe, println, spawn};
use guests::noise::Noise;
use wit_bindgen::rt::async_support::StreamReader as RawStream;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, bytes] = args.as_slice() else {
        return Err("usage: byte-stream HOST PORT BYTES".into());
    };
    let bytes: usize = bytes.parse()?;
    let (source, stream) = pipe();
    let stream: RawStream<u8> = stream.into();
    let address: IpAddr = host.parse()?;
    let (reader, writer) = open_connection(address, port.as_str()).await?;

    let fed = spawn(async move {
        for chunk in Noise::new(7).bytes(bytes).chunks(10_000) {
            source.send(chunk).await?;
        }
        source.write_eof()
    });
    let sent = spawn(async move {
        let sent = writer.write_stream(stream).await?;
        writer.write_eof()?;
        Ok::<_, asyncio_streams::WriteError>(sent)
    });
    let echoed: RawStream<u8> = reader.into_stream().into();
    let received = from_stream(echoed).read_to_end().await?;
    fed.await??;
    println!("sent {}", sent.await??);
    println!("same {}", received == Noise::new(7).bytes(bytes));
    Ok(())
}

asyncio_streams::run!(program);

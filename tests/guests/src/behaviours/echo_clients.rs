//! Connects many times at once, sends noise on each connection and compares the echo. The
//! first of several connections is slow: it stops reading in the middle until all others
//! have finished.
//!
//! Arguments: host (`-`: none), port, number of connections, bytes on each, a
//! seed, and bytes on the slow one if that differs.


use asyncio_streams::{println, spawn};
use futures::channel::oneshot;
use futures::future::try_join;
use guests::noise::Noise;
use crate::net::{StreamReader, StreamWriter, open_connection};

use super::Outcome;

const CHUNK: usize = 65536;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, count, bytes, seed, rest @ ..] = args.as_slice() else {
        return Err("usage: echo-clients HOST PORT COUNT BYTES SEED [SLOW-BYTES]".into());
    };
    let (count, bytes, seed): (u64, usize, u64) = (count.parse()?, bytes.parse()?, seed.parse()?);
    let slow_bytes = match rest.first() {
        Some(bytes) => bytes.parse()?,
        None => bytes,
    };

    let client = |index: u64, bytes: usize, pause: Option<oneshot::Receiver<()>>| {
        let (host, port) = (host.clone(), port.clone());
        let noise = Noise::new(seed.wrapping_add(index));
        spawn(async move {
            exchange(&host, &port, bytes, noise, pause)
                .await
                .map_err(|error| format!("connection {index}: {error}"))
        })
    };
    let (resume, pause) = oneshot::channel();
    let slow = (count > 1).then(|| client(0, slow_bytes, Some(pause)));
    let others: Vec<_> = (u64::from(count > 1)..count)
        .map(|index| client(index, bytes, None))
        .collect();
    for other in others {
        other.await??;
    }
    println!("others done");
    if let Some(slow) = slow {
        resume.send(()).map_err(|()| "the slow one has failed")?;
        slow.await??;
    }
    println!("all done");
    Ok(())
}

async fn exchange(
    host: &str,
    port: &str,
    bytes: usize,
    noise: Noise,
    pause: Option<oneshot::Receiver<()>>,
) -> Outcome {
    let host = (host != "-").then_some(host);
    let (reader, writer) = open_connection(host, port).await?;
    try_join(
        send(&writer, bytes, noise.clone()),
        receive(&reader, bytes, noise, pause),
    )
    .await?;
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

async fn send(writer: &StreamWriter, bytes: usize, mut noise: Noise) -> Outcome {
    let mut left = bytes;
    while left > 0 {
        let count = left.min(CHUNK);
        writer.write(noise.bytes(count))?;
        writer.drain().await?;
        left -= count;
    }
    writer.write_eof()?;
    Ok(())
}

async fn receive(
    reader: &StreamReader,
    bytes: usize,
    mut noise: Noise,
    mut pause: Option<oneshot::Receiver<()>>,
) -> Outcome {
    let mut received = 0;
    loop {
        let data = reader.read(CHUNK).await?;
        if data.is_empty() {
            break;
        }
        noise.check(&data)?;
        received += data.len();
        if received >= bytes / 2
            && let Some(pause) = pause.take()
        {
            pause.await?;
        }
    }
    if received != bytes {
        return Err(format!("{received} bytes came back of {bytes}").into());
    }
    Ok(())
}

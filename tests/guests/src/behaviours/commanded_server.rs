//! Sends lines back, except `who`, which it answers with the time at which it started. Computes
//! for ever after `compute`, and panics after `panic`.
//!
//! Arguments: host and port.


use crate::net::{StreamReader, StreamWriter, start_server};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: commanded-server HOST PORT".into());
    };
    let who = format!("{}\n", wasi::clocks::monotonic_clock::now());
    let obey = move |reader, writer| obey(reader, writer, who.clone());
    let server = start_server(obey, host.as_str(), port.as_str()).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

#[expect(clippy::panic, reason = "it is told to")]
async fn obey(reader: StreamReader, writer: StreamWriter, who: String) -> Outcome {
    loop {
        let line = reader.readline().await?;
        match &line[..] {
            b"" => return Ok(()),
            b"panic\n" => panic!("as told"),
            b"compute\n" => loop {
                std::hint::spin_loop();
            },
            b"who\n" => writer.write(&who)?,
            line => writer.write(line)?,
        }
        writer.drain().await?;
    }
}

// Counts the lines that it receives and, at the end of the data, answers with the number
// of lines and of bytes; any number of connections at once.
//
// Arguments: how to read (`readline`, `readuntil` with `\r\n`, `readlines`), a
// host and a port.

use std::error::Error;

use net::{Hosts, ReadError, StreamReader, StreamWriter, start_server};

type Outcome = Result<(), Box<dyn Error>>;

const USAGE: &str = "usage: lines-server readline|readuntil|readlines HOST PORT";

/// The most lines that one call may bring.
const BATCH: usize = 1024;

#[derive(Clone, Copy)]
enum How {
    Line,
    Until,
    Lines,
}

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [how, host, port] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let how = match how.as_str() {
        "readline" => How::Line,
        "readuntil" => How::Until,
        "readlines" => How::Lines,
        _ => return Err(USAGE.into()),
    };
    let count = move |reader, writer| count(how, reader, writer);
    let server = start_server(count, Hosts::from(host.as_str()), port.as_str()).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn count(how: How, reader: StreamReader, writer: StreamWriter) -> Outcome {
    let (lines, bytes) = match how {
        How::Line => with_readline(&reader).await?,
        How::Until => with_readuntil(&reader).await?,
        How::Lines => with_readlines(&reader).await?,
    };
    writer.write(format!("{lines} {bytes}\n"))?;
    writer.close();
    Ok(())
}

async fn with_readline(reader: &StreamReader) -> Result<(u64, u64), ReadError> {
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok((lines, bytes));
        }
        lines += 1;
        bytes += line.len() as u64;
    }
}

async fn with_readuntil(reader: &StreamReader) -> Result<(u64, u64), ReadError> {
    let (mut lines, mut bytes) = (0, 0);
    loop {
        match reader.readuntil(b"\r\n").await {
            Err(ReadError::Incomplete { partial, .. }) if partial.is_empty() => {
                return Ok((lines, bytes));
            }
            line => bytes += line?.len() as u64,
        }
        lines += 1;
    }
}

async fn with_readlines(reader: &StreamReader) -> Result<(u64, u64), ReadError> {
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let batch = reader.readlines(BATCH).await?;
        if batch.is_empty() {
            return Ok((lines, bytes));
        }
        lines += batch.len() as u64;
        bytes += batch.iter().map(|line| line.len() as u64).sum::<u64>();
    }
}

asyncio_streams::run!(program);

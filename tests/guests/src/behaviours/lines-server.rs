// Counts the lines it receives and, at the end of the data, answers how many
// there were and how many bytes; any number of connections at once.
//
// Arguments: how to read (`readline`, `readuntil` with `\r\n`, `readlines`), a
// host and a port.

use std::error::Error;

use net::{Hosts, ReadError, StreamReader, StreamWriter, start_server};

type Outcome = Result<(), Box<dyn Error>>;

const USAGE: &str = "usage: lines-server readline|readuntil|readlines HOST PORT";

/// How many lines one call may bring.
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
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    loop {
        let (more_lines, more_bytes) = next(how, &reader).await?;
        if more_lines == 0 {
            break;
        }
        lines += more_lines;
        bytes += more_bytes;
    }
    writer.write(format!("{lines} {bytes}\n"))?;
    writer.close();
    Ok(())
}

/// How many lines and bytes the next read brings; none at the end.
async fn next(how: How, reader: &StreamReader) -> Result<(u64, u64), ReadError> {
    let line = match how {
        How::Line => reader.readline().await?,
        How::Until => match reader.readuntil(b"\r\n").await {
            Err(ReadError::Incomplete { partial, .. }) if partial.is_empty() => return Ok((0, 0)),
            line => line?,
        },
        How::Lines => {
            let lines = reader.readlines(BATCH).await?;
            let bytes = lines.iter().map(|line| line.len() as u64).sum();
            return Ok((lines.len() as u64, bytes));
        }
    };
    Ok((u64::from(!line.is_empty()), line.len() as u64))
}

asyncio_streams::run!(program);

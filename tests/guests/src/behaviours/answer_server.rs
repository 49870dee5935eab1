//! Reads each question to its end and only then answers. Its peer is `answer-client`.
//!
//! Arguments: host and port.


use crate::net::{StreamReader, StreamWriter, start_server};

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port] = args.as_slice() else {
        return Err("usage: answer-server HOST PORT".into());
    };
    let server = start_server(answer, host.as_str(), port.as_str()).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn answer(reader: StreamReader, writer: StreamWriter) -> Outcome {
    let question = reader.read_to_end().await?;
    if !reader.at_eof() {
        return Err("the end is not the end".into());
    }
    let question = String::from_utf8_lossy(&question);
    writer.write(format!("answer to {question}"))?;
    writer.write_eof()?;
    writer.drain().await?;
    writer.close();
    Ok(())
}

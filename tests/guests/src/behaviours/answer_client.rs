//! Asks a question, ends its side, and reads the answer to its end.
//!
//! Arguments: host, port and the question.


use asyncio_streams::println;
use crate::net::open_connection;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [host, port, question] = args.as_slice() else {
        return Err("usage: answer-client HOST PORT QUESTION".into());
    };
    let (reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    writer.write(question)?;
    writer.write_eof()?;
    if writer.is_closing() {
        return Err("half-closed is not closing".into());
    }
    let answer = reader.read_to_end().await?;
    println!("{}", String::from_utf8_lossy(&answer));
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

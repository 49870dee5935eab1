//! Sends a greeting and returns with the connection open, without an owner. Arguments:
//! address and port.

use crate::net::open_connection;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write("hello\n")?;
    std::mem::forget((reader, writer));
    Ok(())
}

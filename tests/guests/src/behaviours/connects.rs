//! Opens connections until one fails, holds them all, and prints the error. Then it closes
//! one and opens another. Arguments: address and port.

use asyncio_streams::println;
use crate::net::open_connection;

use super::Outcome;

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let mut open = Vec::new();
    let error = loop {
        match open_connection(arg(0), arg(1)).await {
            Ok(connection) => open.push(connection),
            Err(error) => break error,
        }
    };
    println!("{} open, then: {error}", open.len());
    if let Some((_reader, writer)) = open.pop() {
        writer.close();
        writer.wait_closed().await?;
    }
    open.push(open_connection(arg(0), arg(1)).await?);
    println!("{} open again", open.len());
    Ok(())
}

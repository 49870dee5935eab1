// Sends a greeting and returns with the connection open, without an owner. Arguments:
// address and port.

use net::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write("hello\n")?;
    std::mem::forget((reader, writer));
    Ok(())
}

asyncio_streams::run!(program);

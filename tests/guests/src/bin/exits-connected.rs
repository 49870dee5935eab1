//! Sends a greeting, and exits with code 7 once it has an answer. Arguments:
//! address and port.

use asyncio_streams::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write("hello\n")?;
    reader.readline().await?;
    wasi::cli::exit::exit_with_code(7);
    Ok(())
}

asyncio_streams::run!(program);

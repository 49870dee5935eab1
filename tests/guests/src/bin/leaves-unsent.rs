//! Writes much, closes and returns at once. Arguments: address, port and the
//! number of bytes.

use asyncio_streams::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (_reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write(vec![b'.'; arg(2).parse()?])?;
    writer.close();
    Ok(())
}

asyncio_streams::run!(program);

//! Sends a greeting and returns while a task that the library does not know of reads from
//! the connection. Arguments: address and port.

use asyncio_streams::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write("hello\n")?;
    wit_bindgen::spawn_local(async move {
        drop(reader.read(1).await);
        drop(writer);
    });
    Ok(())
}

asyncio_streams::run!(program);

//! Sends a greeting, then computes for ever without a pause. Arguments:
//! address and port.

use asyncio_streams::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (_reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write("spinning\n")?;
    writer.close();
    writer.wait_closed().await?;
    loop {
        std::hint::spin_loop();
    }
}

asyncio_streams::run!(program);

//! Calls the streams component, then traps without a message; written against the WIT.
//! Arguments: address and port.

use guests::composed::open_connection;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let arg = |index: usize| args.get(index).map_or("", String::as_str);
    let (reader, writer) = open_connection(arg(0), arg(1)).await?;
    writer.write(b"hello\n")?;
    reader.readline().await?;
    give_up();
}

#[inline(never)]
fn give_up() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

asyncio_streams::run!(program);

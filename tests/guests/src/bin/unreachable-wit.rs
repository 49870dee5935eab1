//! Calls the streams component, then traps without a word. Written against the
//! WIT. Arguments: address and port.

#[expect(missing_docs, unused_qualifications, reason = "generated")]
mod wit {
    wit_bindgen::generate!({ path: "../../wit", world: "application", generate_all });
}

use wit::asyncio::streams::streams::{Port, open_connection};

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = asyncio_streams::args().skip(1);
    let port = Port::Service(args.nth(1).unwrap_or_default());
    let (reader, writer) = open_connection(asyncio_streams::args().nth(1), port, None).await?;
    writer.write(b"hello")?;
    reader.read(Some(1)).await?;
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

//! Prints a line to standard error, then so many lines of 16 bytes at once as
//! its argument says to standard output, and returns.

use std::fmt::Write;

async fn program() -> Result<(), std::fmt::Error> {
    let lines = asyncio_streams::args().nth(1);
    let lines: u32 = lines.and_then(|n| n.parse().ok()).unwrap_or_default();
    let mut text = String::new();
    for line in 0..lines {
        writeln!(text, "{line:015}")?;
    }
    asyncio_streams::eprintln!("printing");
    asyncio_streams::print!("{text}");
    Ok(())
}

asyncio_streams::run!(program);

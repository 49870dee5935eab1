//! Copies standard input to standard output in upper case, line by line, and no faster than
//! the output is read.

use asyncio_streams::{eprintln, stdin, stdout};

async fn upper() -> Result<(), Box<dyn std::error::Error>> {
    let (reader, writer) = (stdin(), stdout());
    let mut lines = 0;
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            break;
        }
        writer.write(line.to_ascii_uppercase())?;
        writer.drain().await?;
        lines += 1;
    }
    eprintln!("{lines} lines");
    Ok(())
}

asyncio_streams::run!(upper);

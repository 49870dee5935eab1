//! Copies standard input to standard output in upper case, line by line, and no faster than
//! the output is read; as a component written against the WIT, which makes a reader and a
//! writer of WASI's byte streams.
#![expect(missing_docs, reason = "the bindings are generated")]

use asyncio_streams::eprintln;
use wasi::cli::{stdin, stdout};

wit_bindgen::generate!({ path: "wit", world: "application", generate_all });

use asyncio::streams::streams::{from_sink, from_stream};

async fn upper() -> Result<(), Box<dyn std::error::Error>> {
    let (input, _end) = stdin::read_via_stream();
    let reader = from_stream(input, None).await?;
    let (writer, output) = from_sink().await;
    let printed = stdout::write_via_stream(output);
    let mut lines = 0;
    loop {
        let line = reader.readline(None).await?;
        if line.is_empty() {
            break;
        }
        writer.write(&line.to_ascii_uppercase())?;
        writer.drain().await?;
        lines += 1;
    }
    writer.close();
    printed
        .await
        .map_err(|code| format!("standard output: {code:?}"))?;
    eprintln!("{lines} lines");
    Ok(())
}

asyncio_streams::run!(upper);

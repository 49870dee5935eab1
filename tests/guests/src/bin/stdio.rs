//! Uses standard streams as writers, beside printing.
//!
//! Argument: `mixed`, or `much`, which writes until the output is closed.

use asyncio_streams::{eprintln, println, stderr, stdout};

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn program() -> Outcome {
    match asyncio_streams::args().nth(1).as_deref() {
        Some("mixed") => mixed(),
        Some("much") => much().await,
        _ => Err("usage: stdio mixed|much".into()),
    }
}

/// Returns with all of it unsent.
fn mixed() -> Outcome {
    for n in 0..1000 {
        println!("printed {n}");
        stdout().write(format!("written {n}\n"))?;
        eprintln!("printed {n}");
        stderr().write(format!("written {n}\n"))?;
    }
    Ok(())
}

async fn much() -> Outcome {
    let writer = stdout();
    loop {
        writer.write("a line\n".repeat(10_000))?;
        if let Err(error) = writer.drain().await {
            eprintln!("then: {error}");
            return Err(error.into());
        }
    }
}

asyncio_streams::run!(program);

// Serves listeners that it inherits from its host, and sends lines back. It answers `who`
// with the listener's name and the time at which it started. When its host stops it, it lets
// its clients finish.
//
// Arguments: the names of the listeners to take, one after the other.

use std::error::Error;

use asyncio_streams::println;
use net::{ServerOptions, StreamReader, StreamWriter, listener, listeners};

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let names: Vec<String> = asyncio_streams::args().skip(1).collect();
    println!("handed over: {}", listeners().join(" "));
    let mut servers = Vec::new();
    for name in names {
        let socket = listener(&name).map_err(|code| format!("{name}: {code}"))?;
        let who = format!("{name} {}\n", wasi::clocks::monotonic_clock::now());
        let serve = move |reader, writer| serve(reader, writer, who.clone());
        servers.push(adopted(ServerOptions::new().adopt(serve, socket)).await?);
    }
    println!("left: {}", listeners().join(" "));
    for server in &servers {
        server.serve_forever().await?;
    }
    println!("no longer serving");
    for server in &servers {
        server.wait_closed().await;
    }
    Ok(())
}

async fn serve(reader: StreamReader, writer: StreamWriter, who: String) -> Outcome {
    loop {
        let line = reader.readline().await?;
        match &line[..] {
            b"" => return Ok(()),
            b"who\n" => writer.write(&who)?,
            line => writer.write(line)?,
        }
        writer.drain().await?;
    }
}

asyncio_streams::run!(program);

// Serves on a port that other programs may share, and sends each client its own name.
//
// Arguments: the name, a host and a port.

use std::error::Error;

use net::{ServerOptions, StreamReader, StreamWriter};

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [name, host, port] = args.as_slice() else {
        return Err("usage: shares NAME HOST PORT".into());
    };
    let name = name.clone();
    let answer = move |_reader: StreamReader, writer: StreamWriter| {
        let written = writer.write(name.as_bytes());
        writer.close();
        written
    };
    let server = ServerOptions::new()
        .reuse_port(true)
        .start_server(answer, host.as_str(), port.as_str())
        .await?;
    server.serve_forever().await?;
    Ok(())
}

asyncio_streams::run!(program);

// Runs a client or server whose steps are its arguments.
//
// Arguments: `client`, host and port, or `server` and host; settings of TLS, `--`
// and steps.

use std::error::Error;

use asyncio_streams::println;
use net::{ServerFailure, StreamReader, StreamWriter};
use script::Script;

#[path = "../script/mod.rs"]
mod script;

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["client", host, port, words @ ..] => client(host, port, Script::parse(words)?).await,
        ["server", host, words @ ..] => serve(host, Script::parse(words)?).await?,
        _ => return Err("usage: tls (client HOST PORT | server HOST) [SETTING...] [-- STEP...]".into()),
    }
    Ok(())
}

async fn client(host: &str, port: &str, script: Script) {
    let options = script.settings.connect();
    match options.open_connection(host, port).await {
        Ok((reader, writer)) => script.perform(reader, writer).await,
        Err(error) => println!("failed: {error:?}"),
    }
}

async fn serve(host: &str, script: Script) -> Outcome {
    let options = script.settings.serve().on_failure(|failure| match failure {
        ServerFailure::Handshake { error, .. } => println!("handshake failed: {error:?}"),
        other => println!("failure: {other}"),
    });
    let perform = move |reader: StreamReader, writer: StreamWriter| {
        let script = script.clone();
        async move { script.perform(reader, writer).await }
    };
    match options.start_server(perform, host, 0).await {
        Ok(server) => server.scope(async |server| server.serve_forever().await).await?,
        Err(error) => println!("failed: {error:?}"),
    }
    Ok(())
}

asyncio_streams::run!(program);

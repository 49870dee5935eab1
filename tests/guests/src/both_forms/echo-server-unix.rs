// Sends back what it receives on a Unix socket, to the end of the data; any number
// of connections at once.
//
// Argument: a path.

use std::error::Error;

use net::{StreamReader, StreamWriter, start_unix_server};

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let mut args = asyncio_streams::args().skip(1);
    let path = args.next().ok_or("usage: echo-server-unix PATH")?;
    let server = start_unix_server(echo, path).await?;
    server
        .scope(async |server| server.serve_forever().await)
        .await?;
    Ok(())
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Outcome {
    loop {
        let data = reader.read(65536).await?;
        if data.is_empty() {
            break;
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
    writer.close();
    Ok(())
}

asyncio_streams::run!(program);

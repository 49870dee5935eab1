// Does with Unix sockets what a control connection asks for, again and again, so that the
// host can check that nothing is left behind.
//
// Argument: a folder with the test's sockets. Each line of `control` is `MODE COUNT` and
// is answered with `done`. `echo` sends bytes back. `reset` closes with unread data.
// Nothing listens at `deaf`, and `full` accepts no connection. While this program runs,
// it listens at `server`.

use std::error::Error;
use std::time::Duration;

use futures::FutureExt;
use net::{
    ConnectError, ConnectOptions, StreamReader, StreamWriter, open_unix_connection, socketpair,
    start_unix_server,
};

type Outcome = Result<(), Box<dyn Error>>;

async fn program() -> Outcome {
    let folder = asyncio_streams::args().nth(1).ok_or("usage: unix-churn FOLDER")?;
    let at = |name: &str| format!("{folder}/{name}");
    let (reader, writer) = open_unix_connection(at("control")).await?;
    let _server = start_unix_server(serve, at("server")).await?;
    writer.write("ready\n")?;
    loop {
        let line = reader.readline().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[mode, count] = words.as_slice() else {
            return Ok(());
        };
        for _ in 0..count.parse::<usize>()? {
            match mode {
                "complete" => exchange(&at("echo"), true).await?,
                "dropped" => exchange(&at("echo"), false).await?,
                "reset" => reset(&at("reset")).await?,
                "refused" => refused(&at("deaf")).await?,
                "missing" => refused(&at("nothing")).await?,
                "denied" => refused("/elsewhere").await?,
                "cancelled" => drop(open_unix_connection(at("full")).now_or_never()),
                "timed-out" => timed_out(&at("full")).await?,
                "paired" => paired().await?,
                "unused" => drop(socketpair()?),
                "served" => served(&at("another")).await?,
                "taken" => taken(&at("echo")).await?,
                _ => return Err(format!("no such mode: {mode}").into()),
            }
        }
        writer.write(b"done\n")?;
    }
}

/// Sends a byte and reads it back.
async fn exchange(path: &str, close: bool) -> Outcome {
    let (reader, writer) = open_unix_connection(path).await?;
    writer.write(b"x")?;
    if reader.readexactly(1).await? != b"x"[..] {
        return Err("the answer is not what was sent".into());
    }
    if close {
        writer.close();
        writer.wait_closed().await?;
    }
    Ok(())
}

async fn reset(path: &str) -> Outcome {
    let (reader, writer) = open_unix_connection(path).await?;
    if writer.write(b"xyz").is_ok() && reader.read(1).await.is_ok_and(|bytes| !bytes.is_empty()) {
        return Err("the connection was not reset".into());
    }
    drop(writer.wait_closed().now_or_never());
    Ok(())
}

async fn refused(path: &str) -> Outcome {
    match open_unix_connection(path).await {
        Ok(_) => Err("the connection was made".into()),
        Err(_) => Ok(()),
    }
}

async fn timed_out(path: &str) -> Outcome {
    let options = ConnectOptions::new().timeout(Duration::from_millis(1));
    match options.open_unix_connection(path).await {
        Err(ConnectError::Timeout) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Makes both ends of a pair, one of them without streams.
async fn paired() -> Outcome {
    let (one, other) = socketpair()?;
    let (reader, _writer) = ConnectOptions::new().adopt(one).await?;
    other.send("x")?;
    reader.readexactly(1).await?;
    Ok(())
}

/// Starts and ends a server, with a client.
async fn served(path: &str) -> Outcome {
    let server = start_unix_server(serve, path).await?;
    exchange(path, true).await?;
    server.close();
    server.wait_closed().await;
    Ok(())
}

/// Starts a server at a path that is in use.
async fn taken(path: &str) -> Outcome {
    match start_unix_server(serve, path).await {
        Ok(_) => Err("a path that is taken was had".into()),
        Err(_) => Ok(()),
    }
}

async fn serve(reader: StreamReader, writer: StreamWriter) -> Outcome {
    // Clients may be gone at any time.
    if let Ok(byte) = reader.read(1).await
        && writer.write(&byte).is_ok()
    {
        drop(writer.drain().await);
    }
    Ok(())
}

asyncio_streams::run!(program);

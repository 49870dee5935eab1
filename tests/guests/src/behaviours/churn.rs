//! Does what a control connection asks for, again and again, so that the host can check
//! that nothing is left behind.
//!
//! Arguments: host and port of the control connection. Each line that it sends is `MODE
//! COUNT [PORT]`, and is answered with `done`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use crate::net::{
    ConnectError, ConnectOptions, StreamReader, StreamWriter, open_connection, start_server,
};

use super::Outcome;

const HOST: &str = "127.0.0.1";

pub(crate) async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let (Some(host), Some(port)) = (args.first(), args.get(1)) else {
        return Err("usage: churn HOST PORT".into());
    };
    let (reader, writer) = open_connection(host.as_str(), port.as_str()).await?;
    let served = Rc::new(Cell::new(0));
    let handled = served.clone();
    let server = start_server(
        move |reader, writer| serve(reader, writer, handled.clone()),
        HOST,
        0,
    )
    .await?;
    let port = server.sockets().first().and_then(|address| address.port());
    writer.write(format!("{}\n", port.unwrap_or_default()))?;
    loop {
        let line = reader.readline().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[mode, count, port] = words.as_slice() else {
            return Ok(());
        };
        for _ in 0..count.parse::<usize>()? {
            match mode {
                "complete" => complete(port).await?,
                "dropped" => dropped(port).await?,
                "refused" | "denied" => refused(port).await?,
                "reset" => reset(port).await?,
                "cancelled" => drop(open_connection(HOST, port).now_or_never()),
                "timed-out" => timed_out(port).await?,
                "overtaken" => overtaken(port).await?,
                _ => return Err(format!("no such mode: {mode}").into()),
            }
        }
        writer.write(b"done\n")?;
    }
}

/// Sends a byte and reads it back.
async fn complete(port: &str) -> Outcome {
    let (reader, writer) = open_connection(HOST, port).await?;
    writer.write(b"x")?;
    let answer = reader.readexactly(1).await?;
    if answer != b"x"[..] {
        return Err("the answer is not what was sent".into());
    }
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

/// Does the same as `complete`, without closing.
async fn dropped(port: &str) -> Outcome {
    let (reader, writer) = open_connection(HOST, port).await?;
    writer.write(b"x")?;
    reader.readexactly(1).await?;
    Ok(())
}

async fn refused(port: &str) -> Outcome {
    match open_connection(HOST, port).await {
        Ok(_) => Err("the connection was made".into()),
        Err(_) => Ok(()),
    }
}

/// The peer resets the connection.
async fn reset(port: &str) -> Outcome {
    let (reader, writer) = open_connection(HOST, port).await?;
    if writer.write(b"x").is_ok() && reader.read(1).await.is_ok_and(|bytes| !bytes.is_empty()) {
        return Err("the connection was not reset".into());
    }
    drop(writer.wait_closed().now_or_never());
    Ok(())
}

/// Connects to an address that does not answer in time.
async fn timed_out(port: &str) -> Outcome {
    let options = ConnectOptions::new().timeout(Duration::from_millis(1));
    match options.open_connection(HOST, port).await {
        Err(ConnectError::Timeout) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Connects where the first address does not answer, and the second one wins.
async fn overtaken(port: &str) -> Outcome {
    let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(1));
    let (_reader, writer) = options.open_connection(None, port).await?;
    writer.close();
    writer.wait_closed().await?;
    Ok(())
}

async fn serve(reader: StreamReader, writer: StreamWriter, served: Rc<Cell<usize>>) -> Outcome {
    // Clients may be gone at any time.
    if let Ok(byte) = reader.read(1).await
        && writer.write(&byte).is_ok()
    {
        drop(writer.drain().await);
    }
    served.set(served.get() + 1);
    Ok(())
}

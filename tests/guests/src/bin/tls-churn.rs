//! Makes both ends of sessions of `asyncio:host/tls`. A control connection sends lines of
//! a mode and a count, each answered with `done`.
//!
//! Argument: the port of the control connection on 127.0.0.1.

use std::error::Error;

use asyncio_streams::open_connection;
use futures::future::join;
use guests::tls::{Context, Listener, PATIENCE, Session, client, connect, next, server, wrap};

type Outcome = Result<(), Box<dyn Error>>;

struct Ground {
    listener: Listener,
    server: Context,
    client: Context,
}

impl Ground {
    async fn session(&mut self) -> Result<(Session, Session), Box<dyn Error>> {
        let sessions = self
            .listener
            .sessions(&self.server, &self.client, "localhost");
        Ok(sessions.await?)
    }

    async fn once(&mut self, mode: &str) -> Outcome {
        match mode {
            "complete" => {
                let (server, client) = self.session().await?;
                complete(server, client).await
            }
            "dropped" => {
                let (mut server, mut client) = self.session().await?;
                client.write(b"begun").await;
                server.read().await;
                drop(client);
                // Reads to the end, because the result is only known then.
                server.read().await;
                match server.receive.await {
                    Ok(()) => Err("the end of the session".into()),
                    Err(_) => Ok(()),
                }
            }
            "refused" => {
                let (accepted, connected) = self.listener.pair().await?;
                let accepted = wrap(&self.server, accepted, None)?;
                let connected = wrap(&self.client, connected, Some("elsewhere.example"))?;
                let (one, other) =
                    join(accepted.handshake(PATIENCE), connected.handshake(PATIENCE)).await;
                match (one, other) {
                    (Err(_), Err(_)) => Ok(()),
                    other => Err(format!("{other:?}").into()),
                }
            }
            "stalled" => {
                let port = self.listener.port;
                let (accepted, connected) = join(self.listener.accept(), connect(port)).await;
                let (accepted, _silent) = (accepted?, connected?);
                let stalled = wrap(&self.server, accepted, None)?;
                match stalled.handshake(1_000_000).await {
                    Ok(_) => Err("a handshake with nobody".into()),
                    Err(_) => Ok(()),
                }
            }
            _ => Err(format!("no such mode: {mode}").into()),
        }
    }
}

async fn complete(mut server: Session, mut client: Session) -> Outcome {
    client.write(b"x").await;
    let echoed = server.read().await;
    server.write(&echoed).await;
    if next(&mut client.received).await != b"x" {
        return Err("something else came back".into());
    }
    let (one, other) = join(server.close(), client.close()).await;
    for outcome in one.into_iter().chain(other) {
        outcome?;
    }
    Ok(())
}

async fn program() -> Outcome {
    let port = asyncio_streams::args()
        .nth(1)
        .ok_or("usage: tls-churn PORT")?;
    let (reader, writer) = open_connection("127.0.0.1", port.parse::<u16>()?).await?;
    let mut ground = Ground {
        listener: Listener::open()?,
        server: server("server")?,
        client: client(),
    };
    loop {
        let line = reader.readline().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let Some((mode, count)) = line.trim_end().split_once(' ') else {
            return Ok(());
        };
        for _ in 0..count.parse()? {
            ground.once(mode).await?;
        }
        writer.write(b"done\n")?;
        writer.drain().await?;
    }
}

asyncio_streams::run!(program);

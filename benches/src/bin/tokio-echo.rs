//! An echo on tokio, on one thread.
//!
//! usage: tokio-echo [unix:PATH]

#![forbid(unsafe_code)]

#[cfg(target_os = "wasi")]
#[path = "../listener.rs"]
mod listener;
#[path = "../server.rs"]
mod server;
#[cfg(unix)]
#[path = "../unix.rs"]
mod unix;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The most bytes of one read: as many as asyncio's example reads.
const CHUNK: usize = 64 << 10;

fn main() -> Result<()> {
    #[cfg(unix)]
    if let Some(address) = std::env::args().nth(1) {
        return unix::run(&address, echo);
    }
    server::run(|socket: TcpStream| async move {
        socket.set_nodelay(true)?;
        echo(socket).await
    })
}

async fn echo(mut socket: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let received = socket.read(&mut chunk).await?;
        match chunk.get(..received) {
            None | Some([]) => return Ok(()),
            Some(data) => socket.write_all(data).await?,
        }
    }
}

//! An echo on tokio, on one thread.

#![forbid(unsafe_code)]

#[cfg(target_os = "wasi")]
#[path = "../listener.rs"]
mod listener;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
#[cfg(not(target_os = "wasi"))]
use tokio::net::TcpListener;
use tokio::net::TcpStream;

#[cfg(target_os = "wasi")]
use listener::TcpListener;

/// What one read may bring: as much as asyncio's example reads.
const CHUNK: usize = 64 << 10;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serve())
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        // An error is the peer's: it has gone.
        tokio::spawn(echo(socket));
    }
}

async fn echo(mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let received = socket.read(&mut chunk).await?;
        match chunk.get(..received) {
            None | Some([]) => return Ok(()),
            Some(data) => socket.write_all(data).await?,
        }
    }
}

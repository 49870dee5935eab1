//! An echo on tokio, on one thread.

#![forbid(unsafe_code)]

#[cfg(target_os = "wasi")]
#[path = "../listener.rs"]
mod listener;
#[path = "../server.rs"]
mod server;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one read may bring: as much as asyncio's example reads.
const CHUNK: usize = 64 << 10;

fn main() -> Result<()> {
    server::run(echo)
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

//! A server on tokio, on one thread, that counts the lines it receives and, at
//! the end of the data, answers how many there were and how many bytes.

#![forbid(unsafe_code)]

#[cfg(target_os = "wasi")]
#[path = "../listener.rs"]
mod listener;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
#[cfg(not(target_os = "wasi"))]
use tokio::net::TcpListener;
use tokio::net::TcpStream;

#[cfg(target_os = "wasi")]
use listener::TcpListener;

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
        tokio::spawn(count(socket));
    }
}

async fn count(mut socket: TcpStream) -> std::io::Result<()> {
    let (receiver, mut sender) = socket.split();
    let mut reader = BufReader::new(receiver);
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        lines += 1;
        bytes += line.len() as u64;
        line.clear();
    }
    let answer = format!("{lines} {bytes}\n");
    sender.write_all(answer.as_bytes()).await
}

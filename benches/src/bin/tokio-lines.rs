//! A server on tokio, on one thread. It counts received lines, and answers with the
//! numbers of lines and bytes at the end of the data.

#![forbid(unsafe_code)]

#[cfg(target_os = "wasi")]
#[path = "../listener.rs"]
mod listener;
#[path = "../server.rs"]
mod server;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

fn main() -> Result<()> {
    server::run(count)
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

//! The common part of the servers on tokio.

use std::future::Future;
use std::io;

use anyhow::Result;
#[cfg(not(target_os = "wasi"))]
use tokio::net::TcpListener;
use tokio::net::TcpStream;

#[cfg(target_os = "wasi")]
use crate::listener::TcpListener;

/// Serves each connection with `service`, on one thread.
pub(crate) fn run<F>(service: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    block_on(serve(service))
}

pub(crate) fn block_on(serving: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serving)
}

async fn serve<F>(service: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        // An error means that the peer has gone.
        tokio::spawn(service(socket));
    }
}

//! A server on tokio at a Unix socket.

use std::future::Future;
use std::io;

use anyhow::{Context, Result};
use tokio::net::{UnixListener, UnixStream};

use crate::server::block_on;

/// Serves each connection to `unix:PATH` with `service`, on one thread.
pub(crate) fn run<F>(address: &str, service: impl Fn(UnixStream) -> F) -> Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    block_on(async {
        let path = address.strip_prefix("unix:").context("no unix:PATH")?;
        let listener = UnixListener::bind(path)?;
        eprintln!("listening on {address}");
        loop {
            let (socket, _) = listener.accept().await?;
            // An error means that the peer has gone.
            tokio::spawn(service(socket));
        }
    })
}

//! tokio's listener where its own accepts nothing: mio makes a socket it has
//! accepted non-blocking by `fcntl`, which the C library for `wasm32-wasip2` in
//! Rust 1.95 refuses for sockets. std has another way
//! (<https://github.com/WebAssembly/wasi-libc/pull/742>).

use std::io::{ErrorKind, Result};
use std::net::{self, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A listening socket in the clothes of a stream: tokio waits for it all the same.
pub(crate) struct TcpListener(TcpStream);

impl TcpListener {
    #[expect(clippy::unused_async, reason = "tokio's is")]
    pub(crate) async fn bind(address: &str) -> Result<Self> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let stream = OwnedFd::from(listener).into();
        Ok(Self(TcpStream::from_std(stream)?))
    }

    pub(crate) fn local_addr(&self) -> Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(crate) async fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        let accept = || SockRef::from(&self.0).accept_raw();
        let (socket, peer) = self.0.async_io(Interest::READABLE, accept).await?;
        let socket = net::TcpStream::from(socket);
        socket.set_nonblocking(true)?;
        let peer = peer.as_socket().ok_or(ErrorKind::Unsupported)?;
        Ok((TcpStream::from_std(socket)?, peer))
    }
}

//! A listener for tokio on `wasm32-wasip2`, where tokio's own accepts nothing: mio
//! makes an accepted socket non-blocking by `fcntl`, which the C library in Rust 1.95
//! refuses for sockets. std has another way
//! (<https://github.com/WebAssembly/wasi-libc/pull/742>).

use std::io::{ErrorKind, Result};
use std::net::{self, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A listening socket, held as a stream because tokio can wait for that.
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

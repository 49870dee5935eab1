//! The interface of the host's sockets, TCP or Unix.

use futures::future::LocalBoxFuture;
use wit_bindgen::rt::async_support::{StreamReader as RawStream, StreamResult};

use crate::address::{Address, Names};
use crate::error::ErrorCode;
use crate::socket::options::{HasOptions, SocketOption};
use crate::transport::raw::{Ending, RawSink, RawSource};

/// A socket that the host owns: TCP (`tcp.rs`) or Unix (`unix.rs`).
pub(crate) trait HostSocket: HasOptions + 'static {
    /// Returns the addresses of both ends, as far as they are known.
    fn names(&self) -> Names;

    /// Checks that the socket has a peer.
    fn check_connected(&self) -> Result<(), ErrorCode>;

    /// Returns the address that the socket is bound to.
    fn local_address(&self) -> Result<Address, ErrorCode>;

    /// Returns true once the socket listens.
    fn is_listening(&self) -> bool;

    /// Starts listening. At most `backlog` connections wait in the kernel.
    fn listen(&self, backlog: u32) -> Result<Box<dyn Incoming>, ErrorCode>;

    /// Asks the kernel to probe an idle connection.
    fn keep_alive(&self) {
        // Best effort: a connection that is not probed still works.
        drop(self.set_option(SocketOption::KeepAlive, 1));
    }

    /// Opens both directions of a connected socket. To be called once.
    fn halves(&self) -> (RawSource<Ending>, RawSink<Ending>);

    /// Returns the socket as the host's TLS takes it.
    #[cfg(any(not(feature = "component"), feature = "full"))]
    fn into_transport(self: Box<Self>) -> crate::asyncio_host::tls::Transport;

    /// Sends as much as the kernel has room for. WASI's TCP sockets cannot send without
    /// a stream.
    fn send_nowait(&self, _data: &[u8]) -> Result<usize, ErrorCode> {
        self.check_connected().and(Err(ErrorCode::NotSupported))
    }

    /// Receives what has arrived, at most `most` bytes; `None` if nothing has.
    fn receive_nowait(&self, _most: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        self.check_connected().and(Err(ErrorCode::NotSupported))
    }
}

/// The connections that arrive at a listening socket.
pub(crate) trait Incoming {
    /// Waits for the next connections, at most `most`. Returns `None` once the host ends
    /// the listener.
    fn next(&mut self, most: usize) -> LocalBoxFuture<'_, Option<Vec<Box<dyn HostSocket>>>>;
}

impl<S: HostSocket> Incoming for RawStream<S> {
    fn next(&mut self, most: usize) -> LocalBoxFuture<'_, Option<Vec<Box<dyn HostSocket>>>> {
        Box::pin(async move {
            let (result, batch) = self.read(Vec::with_capacity(most)).await;
            let boxed = |socket| Box::new(socket) as Box<dyn HostSocket>;
            match result {
                StreamResult::Complete(_) => Some(batch.into_iter().map(boxed).collect()),
                StreamResult::Dropped | StreamResult::Cancelled => None,
            }
        })
    }
}

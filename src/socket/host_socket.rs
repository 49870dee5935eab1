//! The sockets of the host, of one kind or another.

use futures::future::LocalBoxFuture;
use wit_bindgen::rt::async_support::{StreamReader as RawStream, StreamResult};

use crate::address::{Address, Names};
use crate::error::ErrorCode;
use crate::transport::raw::{Ending, RawSink, RawSource};

/// A socket of the host's, of one kind or another.
pub(crate) trait HostSocket: 'static {
    /// What is known of both ends.
    fn names(&self) -> Names;

    /// Whether there is a peer; why not.
    fn check_connected(&self) -> Result<(), ErrorCode>;

    /// Where it is bound.
    fn local_address(&self) -> Result<Address, ErrorCode>;

    fn is_listening(&self) -> bool;

    /// Listens, and lets so many connections wait.
    fn listen(&self, backlog: u32) -> Result<Box<dyn Incoming>, ErrorCode>;

    /// Has an idle connection probed, where that means something.
    fn keep_alive(&self);

    /// Opens both directions of a connected socket. To be called once.
    fn halves(&self) -> (RawSource<Ending>, RawSink<Ending>);

    /// To be given to a session of the host's.
    #[cfg(any(not(feature = "component"), feature = "full"))]
    fn into_transport(self: Box<Self>) -> crate::asyncio_host::tls::Transport;

    /// Sends what there is room for. WASI's TCP sockets cannot without a stream.
    fn send_nowait(&self, _data: &[u8]) -> Result<usize, ErrorCode> {
        self.check_connected().and(Err(ErrorCode::NotSupported))
    }

    /// Receives what is there, if there is anything.
    fn receive_nowait(&self, _most: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        self.check_connected().and(Err(ErrorCode::NotSupported))
    }
}

/// Connections that arrive at a socket that listens.
pub(crate) trait Incoming {
    /// The next ones, up to so many; none when the host has no more.
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

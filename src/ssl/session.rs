//! Sessions, as connections use them.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::{Plan, SslContext, SslObject};
use crate::error::ErrorCode;
use crate::refusal::Refusal;
use crate::socket::host_socket::HostSocket;
use crate::transport::Sink;
use crate::transport::raw::{Ending, RawSink, RawSource};

/// A session whose handshake is done: the transport of a connection.
pub(crate) struct Session {
    pub(crate) object: Rc<SslObject>,
    /// Opens both directions.
    pub(crate) open: Box<dyn FnOnce() -> Halves>,
}

/// The directions of a session, and its end.
pub(crate) struct Halves {
    pub(crate) source: RawSource<Ending>,
    pub(crate) sink: SessionSink,
    /// Ends the session in both directions; polled from `close` on.
    pub(crate) ending: Ending,
}

/// A handshake.
pub(crate) type Handshake = LocalBoxFuture<'static, Result<Session, Refusal>>;

type Begin = fn(Box<dyn HostSocket>, &[u8], &Plan) -> Result<Handshake, Refusal>;

/// What makes sessions. Where nothing takes the address of it, a program imports
/// nothing for TLS.
pub(crate) struct Maker {
    /// Whether the host can and will do what a context asks for.
    pub(crate) check: fn(&SslContext) -> Result<(), Refusal>,
    /// Begins a session on a socket, with what that has received already. The
    /// streams that the socket had are no more use, and may be dropped.
    pub(crate) begin: Begin,
}

/// Sends. Given up before it is over, it cuts the session short: the end of its
/// stream would be that of the data.
pub(crate) struct SessionSink {
    pub(crate) raw: RawSink<Ending>,
    /// Drops the session; none once sending is over.
    pub(crate) cut_short: Option<Box<dyn FnOnce()>>,
}

impl Sink for SessionSink {
    async fn send(
        &mut self,
        data: Vec<u8>,
        progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        let sent = self.raw.send(data, progress).await;
        if sent.0.is_err() {
            // What the peer has sent can still be received.
            self.cut_short = None;
        }
        sent
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        let finished = self.raw.finish().await;
        self.cut_short = None;
        finished
    }
}

impl Drop for SessionSink {
    fn drop(&mut self) {
        if let Some(cut_short) = self.cut_short.take() {
            cut_short();
        }
    }
}

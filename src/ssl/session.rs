//! TLS sessions as connections use them, and the interface of what makes them.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::{Plan, SslContext, SslObject};
use crate::error::ErrorCode;
use crate::refusal::Refusal;
use crate::socket::host_socket::HostSocket;
use crate::socket::options::HasOptions;
use crate::transport::Sink;
use crate::transport::raw::{Ending, RawSink, RawSource};

/// A session whose handshake is done: the transport of a connection.
pub(crate) struct Session {
    /// The result of the handshake.
    pub(crate) object: Rc<SslObject>,
    /// The options of the socket below the session.
    pub(crate) options: Rc<dyn HasOptions>,
    /// Opens both directions. Called when the connection starts, not before.
    pub(crate) open: Box<dyn FnOnce() -> Option<Halves>>,
}

/// Both directions of a session, and its end.
pub(crate) struct Halves {
    pub(crate) source: RawSource<Ending>,
    pub(crate) sink: SessionSink,
    /// Ends the session in both directions. The connection polls it once it is closing.
    pub(crate) ending: Ending,
    /// The session, for one that begins inside it.
    pub(crate) carrier: Box<dyn SessionCarrier>,
}

/// The carrier of a session: a socket, or another session.
pub(crate) trait SessionCarrier: 'static {
    /// Returns the carrier as the host's TLS takes it; `None` if it was closed.
    #[cfg(any(not(feature = "component"), feature = "full"))]
    fn into_transport(self: Box<Self>) -> Option<crate::asyncio_host::tls::Transport>;
}

impl SessionCarrier for Box<dyn HostSocket> {
    #[cfg(any(not(feature = "component"), feature = "full"))]
    fn into_transport(self: Box<Self>) -> Option<crate::asyncio_host::tls::Transport> {
        Some((*self).into_transport())
    }
}

/// A handshake under way.
pub(crate) type Handshake = LocalBoxFuture<'static, Result<Session, Refusal>>;

type Begin = fn(Box<dyn SessionCarrier>, &[u8], &Plan) -> Result<Handshake, Refusal>;

/// The operations of the host's TLS.
///
/// A table of function pointers, so that the linker drops the imports from programs that
/// take no address of it.
pub(crate) struct Provider {
    /// Checks that the host can do what a context asks for, and permits it.
    pub(crate) check: fn(&SslContext) -> Result<(), Refusal>,
    /// Begins a session on its carrier, with the bytes that were received from that already.
    /// The host takes the connection over from the carrier's byte streams, which may be
    /// dropped.
    pub(crate) begin: Begin,
}

/// The sending half of a session.
///
/// Dropping it before `finish` cuts the session short. The host would otherwise take the end
/// of the byte stream for the end of the data, and tell the peer that nothing is missing.
pub(crate) struct SessionSink {
    pub(crate) raw: RawSink<Ending>,
    /// Drops the session; `None` once sending has ended or failed.
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
            // The session stays: what the peer has sent can still be received.
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

//! The carrier of a session: a socket, or another session.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared_session::{ABORTED, SharedSession};
use super::transport::SessionTransport;
use crate::access::Stats;
use crate::sockets::stream::StreamSocket;
use crate::tls::Transport;

/// The carrier of a session, which nothing else uses any more.
pub(super) enum Carrier {
    Socket(Arc<StreamSocket>),
    Session(Arc<SharedSession>),
}

impl Carrier {
    pub(super) fn stats(&self) -> &Stats {
        match self {
            Carrier::Socket(socket) => socket.permit().stats(),
            Carrier::Session(outer) => outer.stats(),
        }
    }

    /// Returns the carrier as a session reads and writes it. `received` is read first.
    pub(super) fn transport(self, received: Vec<u8>) -> Box<dyn Transport> {
        match self {
            Carrier::Socket(socket) => Box::new(SessionTransport::new(socket, received)),
            Carrier::Session(outer) => Box::new(OuterSession {
                outer,
                received: io::Cursor::new(received),
            }),
        }
    }
}

/// Reads and writes the session that carries another one. Dropping it cuts that session
/// short, unless it was closed before.
struct OuterSession {
    outer: Arc<SharedSession>,
    /// Bytes that the guest has received from the outer session before.
    received: io::Cursor<Vec<u8>>,
}

impl Drop for OuterSession {
    fn drop(&mut self) {
        self.outer.end(ABORTED);
    }
}

impl AsyncRead for OuterSession {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let received = Pin::new(&mut self.received).poll_read(cx, into);
        match into.filled().len() > before {
            true => received,
            false => self.outer.poll_read_carried(cx, into),
        }
    }
}

impl AsyncWrite for OuterSession {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outer
            .poll_write_carried(cx, |session, cx| session.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outer
            .poll_write_carried(cx, |session, cx| session.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outer
            .poll_write_carried(cx, |session, cx| session.poll_flush(cx))
    }

    /// Does nothing: the inner session may end before the outer one.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

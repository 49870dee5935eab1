//! The connection as a session has it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sockets::tcp::Connection;

/// What is received at a time while data flow. Sessions ask for 4 KiB, which is a
/// quarter of a record.
const AHEAD: usize = 32 * 1024;

/// Reads a connection, first what was received of it before, and writes it. Its
/// end is the end of the connection, once nobody else has it.
pub(super) struct Wire {
    connection: Arc<Connection>,
    /// Received and not read yet; without room of its own while nothing flows.
    ahead: Vec<u8>,
    /// So much of `ahead` is read.
    read: usize,
    /// The last receive has filled what the session had room for.
    flows: bool,
}

impl Wire {
    pub(super) fn new(connection: Arc<Connection>, received: Vec<u8>) -> Wire {
        Wire {
            connection,
            ahead: received,
            read: 0,
            flows: false,
        }
    }

    /// Whether there was something.
    fn read_ahead(&mut self, into: &mut ReadBuf<'_>) -> bool {
        let rest = self.ahead.get(self.read..).unwrap_or_default();
        let count = rest.len().min(into.remaining());
        into.put_slice(rest.get(..count).unwrap_or_default());
        self.read += count;
        if self.read == self.ahead.len() {
            self.read = 0;
            self.ahead.clear();
        }
        count > 0
    }
}

impl Drop for Wire {
    /// Peers send tickets for later sessions, which a guest that only sends has not
    /// read.
    fn drop(&mut self) {
        self.connection.discard_received(16);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read_ahead(into) {
            return Poll::Ready(Ok(()));
        }
        let room = into.remaining();
        if !this.flows || room >= AHEAD {
            this.ahead = Vec::new();
            let count = ready!(this.connection.poll_receive(cx, into.initialize_unfilled()))?;
            into.advance(count);
            this.flows = count == room;
            return Poll::Ready(Ok(()));
        }
        this.ahead.reserve_exact(AHEAD);
        match this.connection.poll_receive_more(cx, &mut this.ahead) {
            Poll::Pending => {
                this.ahead = Vec::new();
                Poll::Pending
            }
            Poll::Ready(received) => {
                this.flows = received? >= room;
                this.read_ahead(into);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.poll_send(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.poll_send_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The end of the connection is its owner's to decide about.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! The socket as a session reads and writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sockets::stream::StreamSocket;

/// Bytes received at a time while data flows. rustls asks for 4 KiB, which is a quarter
/// of a record.
const AHEAD: usize = 32 * 1024;

/// Reads and writes a socket, after bytes that were received before. Dropping it closes
/// the socket, unless the guest's streams still hold it.
pub(super) struct SessionTransport {
    socket: Arc<StreamSocket>,
    /// Bytes received and not read yet. It holds no memory while no data flows.
    ahead: Vec<u8>,
    /// The number of bytes of `ahead` that were read.
    read: usize,
    /// The last receive has filled the room that the session had.
    flows: bool,
}

impl SessionTransport {
    pub(super) fn new(socket: Arc<StreamSocket>, received: Vec<u8>) -> SessionTransport {
        SessionTransport {
            socket,
            ahead: received,
            read: 0,
            flows: false,
        }
    }

    /// Reads from `ahead`. Returns whether it held bytes.
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

impl Drop for SessionTransport {
    /// Discards unread bytes, so that the close resets nothing. Servers send tickets for
    /// later sessions, which a guest that only sends never reads.
    fn drop(&mut self) {
        self.socket.discard_received(16);
    }
}

impl AsyncRead for SessionTransport {
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
            let count = ready!(this.socket.poll_receive(cx, into.initialize_unfilled()))?;
            into.advance(count);
            this.flows = count == room;
            return Poll::Ready(Ok(()));
        }
        this.ahead.reserve_exact(AHEAD);
        match this.socket.poll_receive_more(cx, &mut this.ahead) {
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

impl AsyncWrite for SessionTransport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_send(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_send_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the owner of the session decides when the socket ends.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};

    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::sockets::stream::pair;

    /// The size of rustls's reads.
    const PIECE: usize = 4096;

    #[tokio::test]
    async fn bytes_received_before_are_read_first() {
        let (socket, mut peer) = pair();
        let mut wire = SessionTransport::new(Arc::new(socket), b"before".to_vec());
        peer.write_all(b" and after").unwrap();
        let mut bytes = [0; 16];
        wire.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"before and after");
        assert_eq!(wire.ahead.capacity(), 0);
    }

    #[tokio::test]
    async fn flowing_data_is_read_ahead_and_no_memory_is_held_between() {
        const ALL: usize = 10 * PIECE;
        let (socket, mut peer) = pair();
        let mut wire = SessionTransport::new(Arc::new(socket), Vec::new());
        let sent: Vec<u8> = (0..ALL).map(|n| (n % 251) as u8).collect();
        peer.write_all(&sent).unwrap();
        let mut received = Vec::new();
        let mut ahead = false;
        while received.len() < ALL {
            let mut piece = [0; PIECE];
            let count = wire.read(&mut piece).await.unwrap();
            received.extend_from_slice(&piece[..count]);
            ahead |= wire.ahead.len() > PIECE;
        }
        assert!(received == sent);
        assert!(ahead, "every piece was a system call");
        assert!(wire.read(&mut [0; PIECE]).now_or_never().is_none());
        assert_eq!(wire.ahead.capacity(), 0);
    }

    #[tokio::test]
    async fn several_pieces_are_one_write_and_the_end_is_left_to_the_connection() {
        let (socket, mut peer) = pair();
        let mut wire = SessionTransport::new(Arc::new(socket), Vec::new());
        let slices = [IoSlice::new(b"one "), IoSlice::new(b"write")];
        let written = poll_fn(|cx| Pin::new(&mut wire).poll_write_vectored(cx, &slices));
        assert_eq!(written.await.unwrap(), 9);
        wire.shutdown().await.unwrap();
        let mut bytes = [0; 9];
        peer.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"one write");
        peer.set_nonblocking(true).unwrap();
        let error = peer.read(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(wire);
        peer.set_nonblocking(false).unwrap();
        assert_eq!(peer.read(&mut bytes).unwrap(), 0);
    }

    #[tokio::test]
    async fn unread_bytes_do_not_reset_the_socket() {
        let (socket, mut peer) = pair();
        let wire = SessionTransport::new(Arc::new(socket), Vec::new());
        peer.write_all(b"a ticket").unwrap();
        poll_fn(|cx| wire.socket.poll_read_ready(cx)).await.unwrap();
        drop(wire);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
}

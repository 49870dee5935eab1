use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport that remembers the first byte it has received. That tells whether the
/// peer speaks TLS at all; the errors of rustls do not.
pub(super) struct SniffedTransport<T> {
    transport: T,
    first: Option<u8>,
}

impl<T> SniffedTransport<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            transport,
            first: None,
        }
    }

    /// Returns whether the first byte begins no TLS record: RFC 8446, section 5.1.
    pub(super) fn is_no_tls(&self) -> bool {
        // change_cipher_spec, alert, handshake, application_data, heartbeat
        self.first.is_some_and(|kind| !(20..=24).contains(&kind))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for SniffedTransport<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.transport).poll_read(cx, buffer);
        if this.first.is_none() {
            this.first = buffer.filled().get(before).copied();
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for SniffedTransport<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

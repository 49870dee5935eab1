use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::failure;

/// A session of tokio-rustls whose errors are this crate's.
pub(super) struct RustlsSession<S>(S);

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> RustlsSession<S> {
    pub(super) fn boxed(stream: S) -> Box<dyn crate::tls::session::Session> {
        Box::new(Self(stream))
    }
}

/// Flushes after each read that waits: rustls may have an answer to send, such as the
/// refusal of a renegotiation, and tokio-rustls leaves it to the next write.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for RustlsSession<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        if read.is_pending()
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.0).poll_flush(cx)
        {
            return Poll::Ready(Err(ours(error)));
        }
        read.map_err(ours)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RustlsSession<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data).map_err(ours)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0)
            .poll_write_vectored(cx, data)
            .map_err(ours)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(ours)
    }

    /// Flushes after the shutdown: tokio-rustls leaves its last record to the shutdown of
    /// the transport, which does nothing here.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_shutdown(cx)).map_err(ours)?;
        Pin::new(&mut self.0).poll_flush(cx).map_err(ours)
    }
}

fn ours(error: io::Error) -> io::Error {
    failure::of_session(error).into()
}

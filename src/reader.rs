//! The reading half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::Stream;
use futures::io::{AsyncBufRead, AsyncRead};
use futures::stream::LocalBoxStream;

use crate::buffer::separators::Separators;
use crate::buffer::{Buffer, Found, Piece};
use crate::connection::Handle;
use crate::error::ReadError;

/// Reads from a connection or a byte stream.
///
/// Readers come from [`open_connection`](crate::open_connection), from a server, or from
/// [`from_stream`](crate::from_stream). A clone is another handle of the same reader.
///
/// One read may wait at a time; a second one fails with [`ReadError::Busy`]. A read checks,
/// in this order: its arguments, the buffer, the error of a failed connection, the end of the
/// data. Then it waits. So bytes that arrived before the connection failed are never lost:
/// [`read`](Self::read) returns them, then the error.
///
/// # Cancel safety
/// Every method is cancel-safe: a read that is dropped has consumed nothing. The exception is
/// [`discard_line`](Self::discard_line), which says what it keeps.
///
/// # Buffering
/// The reader receives ahead of the program: it pauses above `2 * limit` buffered bytes and
/// resumes at `limit`. With the 256 KiB that may be received at once, it holds at most
/// `2 * limit + 256 KiB`, unless `readexactly` asks for more.
///
/// # Threads
/// The type is `!Send`, as are the other types of this crate that stand for something of the
/// host's. That costs nothing: a component instance runs on one thread, and tasks started
/// with [`spawn`](crate::spawn) share it. A host uses more cores with more instances, as
/// `asyncio-streams run --workers` does.
///
/// ```compile_fail,E0277
/// fn needs_send(_: impl Send) {}
/// fn example(reader: asyncio_streams::StreamReader) {
///     needs_send(reader);
/// }
/// ```
#[derive(Debug)]
pub struct StreamReader {
    connection: Handle,
    /// The bytes that `poll_fill_buf` returned and that were not consumed yet.
    lent: Bytes,
}

impl StreamReader {
    pub(crate) fn new(connection: Handle) -> StreamReader {
        StreamReader {
            connection,
            lent: Bytes::new(),
        }
    }

    /// Reads up to `n` bytes: waits until at least one is buffered. Returns empty bytes at
    /// the end of the data, or if `n` is 0.
    ///
    /// # Errors
    /// [`ReadError::Connection`] when the connection failed and the buffer is empty,
    /// [`ReadError::Busy`] while another read waits.
    pub async fn read(&self, n: usize) -> Result<Bytes, ReadError> {
        if n == 0 {
            return Ok(Bytes::new());
        }
        self.connection.read(|buffer| buffer.some(n)).await
    }

    /// Reads to the end of the data: asyncio's `read(-1)`.
    ///
    /// The reader's limit does not apply.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] when the connection failed; the error has the bytes that had
    /// arrived. Else as for [`read`](Self::read).
    pub async fn read_to_end(&self) -> Result<Bytes, ReadError> {
        let all = self.connection.read(Buffer::all).await;
        all.map_err(|error| self.truncated(error))
    }

    /// Returns the error of a read to the end: adds the bytes that have arrived.
    pub(crate) fn truncated(&self, error: ReadError) -> ReadError {
        let ReadError::Connection(code) = error else {
            return error;
        };
        let partial = self.connection.buffer(|buffer| buffer.take(buffer.len()));
        match partial.is_empty() {
            true => ReadError::Connection(code),
            false => ReadError::Truncated { partial, code },
        }
    }

    /// Reads a line with its `\n`. At the end of the data it returns the rest without a `\n`,
    /// then empty bytes.
    ///
    /// # Errors
    /// [`ReadError::LimitOverrun`] when the line is longer than the limit. Nothing is consumed;
    /// [`discard_line`](Self::discard_line) skips the line. Else as for [`read`](Self::read).
    pub async fn readline(&self) -> Result<Bytes, ReadError> {
        self.line(None).await
    }

    /// Reads exactly `n` bytes. `n` may exceed the limit.
    ///
    /// # Errors
    /// [`ReadError::Incomplete`] when the data ended first; the error has the bytes that were
    /// left. Else as for [`read`](Self::read).
    pub async fn readexactly(&self, n: usize) -> Result<Bytes, ReadError> {
        if n == 0 {
            return Ok(Bytes::new());
        }
        self.connection.read(|buffer| buffer.exactly(n)).await?
    }

    /// Reads up to and including a separator.
    ///
    /// # Errors
    /// [`ReadError::InvalidArgument`] for an empty separator, [`ReadError::LimitOverrun`] when
    /// more bytes than the limit would have to be buffered (nothing is consumed),
    /// [`ReadError::Incomplete`] when the data ended first. Else as for [`read`](Self::read).
    pub async fn readuntil(&self, separator: impl AsRef<[u8]>) -> Result<Bytes, ReadError> {
        self.until_one(separator.as_ref(), None).await
    }

    /// Reads up to and including the separator that ends first.
    ///
    /// # Errors
    /// As for [`readuntil`](Self::readuntil).
    pub async fn readuntil_any<S: AsRef<[u8]>>(
        &self,
        separators: &[S],
    ) -> Result<Bytes, ReadError> {
        self.until(
            &Separators::new(separators.iter().map(AsRef::as_ref))?,
            None,
        )
        .await
    }

    /// Waits for a line, then returns all complete lines, `max` at most. Returns an empty list
    /// at the end of the data.
    ///
    /// # Errors
    /// As for [`readline`](Self::readline). Complete lines before one that is too long are
    /// returned first.
    pub async fn readlines(&self, max: usize) -> Result<Vec<Bytes>, ReadError> {
        self.several(max, None).await
    }

    /// Returns the reads that have a limit, with `limit` instead of the reader's own:
    /// `reader.limited(1024).readline()`.
    pub fn limited(&self, limit: usize) -> Limited<'_> {
        Limited {
            reader: self,
            limit,
        }
    }

    /// Drops everything up to and including the next `\n`, or the end of the data, however
    /// long. Returns the number of bytes.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    ///
    /// # Cancel safety
    /// The bytes that were dropped so far stay dropped.
    pub async fn discard_line(&self) -> Result<u64, ReadError> {
        let mut total = 0;
        self.connection
            .read(|buffer| {
                let (count, over) = buffer.discard_line();
                total += count as u64;
                if over {
                    Found::Ready(total)
                } else {
                    Found::Wait(1)
                }
            })
            .await
    }

    /// Serves `request` without waiting; `None` if it would have to wait.
    #[cfg(feature = "component")]
    pub(crate) fn serve_now<T>(
        &self,
        mut request: impl FnMut(&mut Buffer) -> Found<T>,
    ) -> Result<Option<T>, ReadError> {
        self.connection.read_now(&mut request)
    }

    /// Waits until `request`, which takes nothing from the buffer, is ready.
    #[cfg(feature = "component")]
    pub(crate) async fn ready(
        &self,
        request: impl FnMut(&mut Buffer) -> Found<()>,
    ) -> Result<(), ReadError> {
        match self.connection.ready(request).await {
            Err(ReadError::Busy) => Err(ReadError::Busy),
            // The read that follows reports the error.
            _ => Ok(()),
        }
    }

    /// Returns true if the data have ended and the buffer is empty.
    pub fn at_eof(&self) -> bool {
        self.lent.is_empty() && self.connection.at_eof()
    }

    /// Returns the number of bytes that can be read without waiting.
    pub fn buffered(&self) -> usize {
        self.lent.len() + self.connection.buffer(|buffer| buffer.len())
    }

    /// Returns the limit in bytes.
    pub fn limit(&self) -> usize {
        self.connection.buffer(|buffer| buffer.limit())
    }

    /// Sets the limit for later calls.
    ///
    /// # Errors
    /// [`ReadError::InvalidArgument`] if it is 0.
    pub fn set_limit(&self, limit: usize) -> Result<(), ReadError> {
        if limit == 0 {
            return Err(ReadError::InvalidArgument(
                "the limit is 0; it has to be at least 1".into(),
            ));
        }
        self.connection.buffer(|buffer| buffer.set_limit(limit));
        self.connection.make_room();
        Ok(())
    }

    /// Returns the lines as a [`Stream`]: asyncio's `async for line in reader`. It ends with
    /// the data; an error is the last item. Iterate with the traits of the crate `futures`
    /// (`StreamExt`, `TryStreamExt`).
    ///
    /// A clone is another handle of the same reader: `reader.clone().lines()` leaves this one
    /// for other reads.
    pub fn lines(self) -> Lines {
        Lines(Box::pin(futures::stream::unfold(
            Some(self),
            async |reader| {
                let reader = reader?;
                match reader.readline().await {
                    Ok(line) if line.is_empty() => None,
                    Ok(line) => Some((Ok(line), Some(reader))),
                    Err(error) => Some((Err(error), None)),
                }
            },
        )))
    }

    #[inline]
    pub(crate) async fn line(&self, limit: Option<usize>) -> Result<Bytes, ReadError> {
        let connection = &self.connection;
        match connection.try_read(|buffer| buffer.line_at_once(limit.unwrap_or(buffer.limit()))) {
            Some(line) => Ok(line),
            None => {
                let later =
                    connection.read(move |buffer| buffer.line(limit.unwrap_or(buffer.limit())));
                apart(later).await?
            }
        }
    }

    #[inline]
    async fn until_one(&self, separator: &[u8], limit: Option<usize>) -> Result<Bytes, ReadError> {
        let found = self
            .connection
            .try_read(|buffer| buffer.until_at_once(separator, limit.unwrap_or(buffer.limit())));
        match found {
            Some(found) => Ok(found),
            None => self.until(&Separators::one(separator)?, limit).await,
        }
    }

    pub(crate) async fn until(
        &self,
        separators: &Separators<'_>,
        limit: Option<usize>,
    ) -> Result<Bytes, ReadError> {
        let later = self
            .connection
            .read(|buffer| buffer.until(separators, limit.unwrap_or(buffer.limit())));
        apart(later).await?
    }

    pub(crate) async fn several<T: Piece>(
        &self,
        max: usize,
        limit: Option<usize>,
    ) -> Result<Vec<T>, ReadError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        self.connection
            .read(|buffer| lines(buffer, max, limit))
            .await?
    }

    /// Returns to the buffer what `poll_fill_buf` took from it.
    fn restore(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        if !lent.is_empty() {
            self.connection.buffer(|buffer| buffer.untake(lent));
        }
    }
}

impl Clone for StreamReader {
    fn clone(&self) -> StreamReader {
        StreamReader::new(self.connection.clone())
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.restore();
    }
}

/// The reads of a reader with another limit; see [`StreamReader::limited`].
#[derive(Debug, Clone, Copy)]
#[must_use = "it only holds a limit; call one of its reads"]
pub struct Limited<'a> {
    reader: &'a StreamReader,
    limit: usize,
}

impl Limited<'_> {
    /// Does as [`StreamReader::readline`], with this limit.
    ///
    /// # Errors
    /// As for [`StreamReader::readline`].
    pub async fn readline(self) -> Result<Bytes, ReadError> {
        self.reader.line(Some(self.limit)).await
    }

    /// Does as [`StreamReader::readlines`], with this limit.
    ///
    /// # Errors
    /// As for [`StreamReader::readlines`].
    pub async fn readlines(self, max: usize) -> Result<Vec<Bytes>, ReadError> {
        self.reader.several(max, Some(self.limit)).await
    }

    /// Does as [`StreamReader::readuntil`], with this limit.
    ///
    /// # Errors
    /// As for [`StreamReader::readuntil`].
    pub async fn readuntil(self, separator: impl AsRef<[u8]>) -> Result<Bytes, ReadError> {
        self.reader
            .until_one(separator.as_ref(), Some(self.limit))
            .await
    }

    /// Does as [`StreamReader::readuntil_any`], with this limit.
    ///
    /// # Errors
    /// As for [`StreamReader::readuntil`].
    pub async fn readuntil_any<S: AsRef<[u8]>>(self, separators: &[S]) -> Result<Bytes, ReadError> {
        let separators = Separators::new(separators.iter().map(AsRef::as_ref))?;
        self.reader.until(&separators, Some(self.limit)).await
    }
}

/// The lines of a reader; see [`StreamReader::lines`].
#[must_use = "streams do nothing unless polled"]
pub struct Lines(LocalBoxStream<'static, Result<Bytes, ReadError>>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Keeps the slow path out of the fast path's code: inlined, it makes the fast path slower.
async fn apart<F: Future>(later: F) -> F::Output {
    #[inline(never)]
    fn poll<F: Future>(later: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        later.poll(cx)
    }
    let mut later = pin!(later);
    poll_fn(|cx| poll(later.as_mut(), cx)).await
}

/// Takes all complete lines, `max` at most, and the rest of the data at their end.
pub(crate) fn lines<T: Piece>(
    buffer: &mut Buffer,
    max: usize,
    limit: Option<usize>,
) -> Found<Result<Vec<T>, ReadError>> {
    let limit = limit.unwrap_or(buffer.limit());
    let mut lines = Vec::new();
    while lines.len() < max {
        if let Some(line) = buffer.line_at_once(limit) {
            lines.push(line);
            continue;
        }
        match buffer.line(limit) {
            Found::Ready(Ok(line)) if line.is_empty() => break,
            Found::Ready(Ok(line)) => lines.push(line.into()),
            Found::Ready(Err(error)) if lines.is_empty() => return Found::Ready(Err(error)),
            Found::Ready(Err(_)) => break,
            Found::Wait(wanted) if lines.is_empty() => return Found::Wait(wanted),
            Found::Wait(_) => break,
        }
    }
    Found::Ready(Ok(lines))
}

impl AsyncRead for StreamReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = available.len().min(into.len());
        into.split_at_mut(count)
            .0
            .copy_from_slice(available.split_at(count).0);
        self.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.lent.is_empty() {
            ready!(this.connection.poll_readable(cx))?;
            this.lent = this.connection.buffer(|buffer| buffer.take(usize::MAX));
            this.connection.make_room();
        }
        Poll::Ready(Ok(&this.lent))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.lent.advance(amount.min(this.lent.len()));
        this.restore();
    }
}

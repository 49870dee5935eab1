use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{TimedOut, timeout};
use bytes::Bytes;
use futures::stream::{LocalBoxStream, StreamExt, unfold};

use super::ReadError;
use super::wit::streams::{ReadRequest, StreamReader as Resource};

/// A reader; its methods are those of the crate's type of this name.
#[derive(Debug, Clone)]
pub struct StreamReader(Rc<Resource>);

impl StreamReader {
    pub(super) fn new(reader: Resource) -> StreamReader {
        StreamReader(Rc::new(reader))
    }

    /// Reads up to `n` bytes.
    ///
    /// # Errors
    /// The errors of the crate's method of this name, as with all others here.
    pub async fn read(&self, n: usize) -> Result<Bytes, ReadError> {
        Ok(self.0.read(Some(n as u64)).await?.into())
    }

    /// Reads to the end of the data.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn read_to_end(&self) -> Result<Bytes, ReadError> {
        Ok(self.0.read(None).await?.into())
    }

    /// Reads a line.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readline(&self) -> Result<Bytes, ReadError> {
        self.line(None).await
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readexactly(&self, n: usize) -> Result<Bytes, ReadError> {
        Ok(self.0.readexactly(n as u64).await?.into())
    }

    /// Reads up to and including a separator.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readuntil(&self, separator: impl AsRef<[u8]>) -> Result<Bytes, ReadError> {
        self.until(&[separator], None).await
    }

    /// Reads up to and including one of several separators.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readuntil_any<S: AsRef<[u8]>>(
        &self,
        separators: &[S],
    ) -> Result<Bytes, ReadError> {
        self.until(separators, None).await
    }

    /// Reads all complete lines.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readlines(&self, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        self.several(max, None).await
    }

    /// Reads with another limit.
    pub fn limited(&self, limit: usize) -> Limited<'_> {
        Limited {
            reader: self,
            limit: Some(limit as u64),
        }
    }

    /// Drops a line.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn discard_line(&self) -> Result<u64, ReadError> {
        Ok(self.0.discard_line().await?)
    }

    /// Reads up to `n` bytes within a time, in the way that loses nothing when
    /// the time is over: waits for `ready` and takes the data with
    /// `read-nowait`.
    ///
    /// # Errors
    /// [`TimedOut`]; what the read reports.
    pub async fn read_within(
        &self,
        n: usize,
        limit: Duration,
    ) -> Result<Result<Bytes, ReadError>, TimedOut> {
        let request = || ReadRequest::Some(n as u64);
        loop {
            match self.0.read_nowait(&request()) {
                Ok(Some(data)) => return Ok(Ok(data.into())),
                Ok(None) => {}
                Err(error) => return Ok(Err(error.into())),
            }
            if let Err(error) = timeout(limit, self.0.ready(request())).await? {
                return Ok(Err(error.into()));
            }
        }
    }

    /// The lines as a stream.
    pub fn lines(self) -> LocalBoxStream<'static, Result<Bytes, ReadError>> {
        unfold(Some(self), async |reader| {
            let reader = reader?;
            match reader.readline().await {
                Ok(line) if line.is_empty() => None,
                Ok(line) => Some((Ok(line), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed_local()
    }

    /// Returns true if the data have ended and the buffer is empty.
    pub fn at_eof(&self) -> bool {
        self.0.at_eof()
    }

    /// Returns the number of bytes that can be read without waiting.
    pub fn buffered(&self) -> usize {
        size(self.0.buffered())
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        size(self.0.limit())
    }

    /// Changes the limit.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub fn set_limit(&self, limit: usize) -> Result<(), ReadError> {
        Ok(self.0.set_limit(limit as u64)?)
    }

    async fn line(&self, limit: Option<u64>) -> Result<Bytes, ReadError> {
        Ok(self.0.readline(limit).await?.into())
    }

    async fn until<S: AsRef<[u8]>>(
        &self,
        separators: &[S],
        limit: Option<u64>,
    ) -> Result<Bytes, ReadError> {
        let list = separators.iter().map(|s| s.as_ref().to_owned()).collect();
        Ok(self.0.readuntil(list, limit).await?.into())
    }

    /// The lines as they come, which saves a look at each.
    async fn several(&self, max: usize, limit: Option<u64>) -> Result<Vec<Vec<u8>>, ReadError> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        Ok(self.0.readlines(max, limit).await?)
    }
}

/// Reads with a limit of their own.
#[derive(Debug, Clone, Copy)]
pub struct Limited<'a> {
    reader: &'a StreamReader,
    limit: Option<u64>,
}

impl Limited<'_> {
    /// Reads a line.
    ///
    /// # Errors
    /// See [`StreamReader::read`].
    pub async fn readline(self) -> Result<Bytes, ReadError> {
        self.reader.line(self.limit).await
    }

    /// Reads all complete lines.
    ///
    /// # Errors
    /// See [`StreamReader::read`].
    pub async fn readlines(self, max: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        self.reader.several(max, self.limit).await
    }

    /// Reads up to and including a separator.
    ///
    /// # Errors
    /// See [`StreamReader::read`].
    pub async fn readuntil(self, separator: impl AsRef<[u8]>) -> Result<Bytes, ReadError> {
        self.reader.until(&[separator], self.limit).await
    }

    /// Reads up to and including one of several separators.
    ///
    /// # Errors
    /// See [`StreamReader::read`].
    pub async fn readuntil_any<S: AsRef<[u8]>>(self, separators: &[S]) -> Result<Bytes, ReadError> {
        self.reader.until(separators, self.limit).await
    }
}

pub(super) fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

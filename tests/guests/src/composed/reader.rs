use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{TimedOut, timeout};

use super::ReadError;
use super::wit::streams::{ReadRequest, StreamReader as Resource};

/// A reader.
#[derive(Debug, Clone)]
pub struct StreamReader(Rc<Resource>);

impl StreamReader {
    pub(super) fn new(reader: Resource) -> StreamReader {
        StreamReader(Rc::new(reader))
    }

    /// Reads up to `n` bytes.
    ///
    /// # Errors
    /// As the crate's method of this name; so are all others here.
    pub async fn read(&self, n: usize) -> Result<Vec<u8>, ReadError> {
        Ok(self.0.read(Some(n as u64)).await?)
    }

    /// Reads to the end of the data.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn read_to_end(&self) -> Result<Vec<u8>, ReadError> {
        Ok(self.0.read(None).await?)
    }

    /// Reads a line.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readline(&self) -> Result<Vec<u8>, ReadError> {
        Ok(self.0.readline(None).await?)
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub async fn readexactly(&self, n: usize) -> Result<Vec<u8>, ReadError> {
        Ok(self.0.readexactly(n as u64).await?)
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
    ) -> Result<Result<Vec<u8>, ReadError>, TimedOut> {
        let request = ReadRequest::Some(n as u64);
        loop {
            match self.0.read_nowait(&request) {
                Ok(Some(data)) => return Ok(Ok(data)),
                Ok(None) => {}
                Err(error) => return Ok(Err(error.into())),
            }
            if let Err(error) = timeout(limit, self.0.ready(request.clone())).await? {
                return Ok(Err(error.into()));
            }
        }
    }

    /// Whether the data have ended and the buffer is empty.
    pub fn at_eof(&self) -> bool {
        self.0.at_eof()
    }
}

use std::rc::{Rc, Weak};

use super::wit::streams::StreamWriter as Resource;
use super::{Address, ErrorCode, WriteError};

/// A writer.
#[derive(Debug, Clone)]
pub struct StreamWriter(Rc<Resource>);

/// The transport of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Transport<'a>(&'a StreamWriter);

impl StreamWriter {
    pub(super) fn new(writer: Resource) -> StreamWriter {
        StreamWriter(Rc::new(writer))
    }

    pub(super) fn downgrade(&self) -> Weak<Resource> {
        Rc::downgrade(&self.0)
    }

    /// Takes the bytes.
    ///
    /// # Errors
    /// As the crate's method of this name; so are all others here.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        Ok(self.0.write(data.as_ref())?)
    }

    /// Waits while too much is buffered.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub async fn drain(&self) -> Result<(), WriteError> {
        Ok(self.0.drain().await?)
    }

    /// Ends the data.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub fn write_eof(&self) -> Result<(), WriteError> {
        Ok(self.0.write_eof()?)
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether the connection is closed or being closed.
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Waits until the connection is closed.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub async fn wait_closed(&self) -> Result<(), ErrorCode> {
        Ok(self.0.wait_closed().await?)
    }

    /// The peer's address.
    pub fn peername(&self) -> Option<Address> {
        self.0.peername().map(Into::into)
    }

    /// The local address.
    pub fn sockname(&self) -> Option<Address> {
        self.0.sockname().map(Into::into)
    }

    /// The transport.
    pub fn transport(&self) -> Transport<'_> {
        Transport(self)
    }
}

impl Transport<'_> {
    /// Throws away what is buffered and closes at once.
    pub fn abort(&self) {
        self.0.0.abort();
    }

    /// How many bytes wait.
    pub fn get_write_buffer_size(&self) -> usize {
        usize::try_from(self.0.0.get_write_buffer_size()).unwrap_or(usize::MAX)
    }
}

use std::rc::{Rc, Weak};

use asyncio_streams::{ExtraInfo, WaterMarks};

use super::reader::size;
use super::wit::streams::StreamWriter as Resource;
use super::wit::types as wit;
use super::{
    Address, ConnectError, Credentials, ErrorCode, SocketOptions, TlsOptions, WriteError,
    nanoseconds,
};

/// A writer; its methods are those of the crate's type of this name.
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
    /// The errors of the crate's method of this name, as with all others here.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        Ok(self.0.write(data.as_ref())?)
    }

    /// Takes the pieces.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub fn writelines<T: AsRef<[u8]>>(
        &self,
        data: impl IntoIterator<Item = T>,
    ) -> Result<(), WriteError> {
        let pieces: Vec<_> = data.into_iter().map(|p| p.as_ref().to_owned()).collect();
        Ok(self.0.writelines(&pieces)?)
    }

    /// Waits while too much is buffered.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub async fn drain(&self) -> Result<(), WriteError> {
        if !self.0.drain_nowait()? {
            self.0.drain().await?;
        }
        Ok(())
    }

    /// Takes the bytes and waits while too much is buffered.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub async fn send(&self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.write(data)?;
        self.drain().await
    }

    /// Ends the data.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub fn write_eof(&self) -> Result<(), WriteError> {
        Ok(self.0.write_eof()?)
    }

    /// Returns true: `write_eof` works.
    pub fn can_write_eof(&self) -> bool {
        self.0.can_write_eof()
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.0.close();
    }

    /// Returns true if the connection is closed or closing.
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

    /// Begins TLS on the connection.
    ///
    /// # Errors
    /// See [`write`](Self::write).
    pub async fn start_tls(&self, options: impl Into<TlsOptions>) -> Result<(), ConnectError> {
        let options: TlsOptions = options.into();
        let started = self.0.start_tls(
            options.context.wit(),
            options.server_hostname,
            options.handshake_timeout.map(nanoseconds),
            options.shutdown_timeout.map(nanoseconds),
        );
        Ok(started.await?)
    }

    /// A detail of the connection.
    pub fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        Some(match self.0.get_extra_info(name)? {
            wit::ExtraInfo::Address(address) => ExtraInfo::Address(address.into()),
            wit::ExtraInfo::Text(text) => ExtraInfo::Text(text),
            wit::ExtraInfo::Bytes(bytes) => ExtraInfo::Bytes(bytes),
            wit::ExtraInfo::Number(number) => ExtraInfo::Number(number),
            wit::ExtraInfo::Credentials(process) => ExtraInfo::Credentials(Credentials {
                pid: process.pid,
                uid: process.uid,
                gid: process.gid,
            }),
        })
    }

    /// The peer's address.
    pub fn peername(&self) -> Option<Address> {
        self.0.peername().map(Into::into)
    }

    /// The local address.
    pub fn sockname(&self) -> Option<Address> {
        self.0.sockname().map(Into::into)
    }

    /// The options of the socket.
    pub fn socket_options(&self) -> SocketOptions {
        SocketOptions(Rc::new(self.0.socket_options()))
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

    /// Sets the water marks.
    ///
    /// # Errors
    /// See [`StreamWriter::write`].
    pub fn set_write_buffer_limits(&self, marks: WaterMarks) -> Result<(), WriteError> {
        let (high, low) = (Some(marks.high as u64), Some(marks.low as u64));
        // Leaves out what the component derives, so that its defaults are tested.
        let (high, low) = match marks {
            _ if marks == WaterMarks::default() => (None, None),
            _ if marks == WaterMarks::from_low(marks.low) => (None, low),
            _ if marks == WaterMarks::from_high(marks.high) => (high, None),
            _ => (high, low),
        };
        Ok(self.0.0.set_write_buffer_limits(high, low)?)
    }

    /// Returns the water marks.
    pub fn get_write_buffer_limits(&self) -> WaterMarks {
        let (low, high) = self.0.0.get_write_buffer_limits();
        WaterMarks {
            high: size(high),
            low: size(low),
        }
    }

    /// Returns the number of bytes that wait to be sent.
    pub fn get_write_buffer_size(&self) -> usize {
        size(self.0.0.get_write_buffer_size())
    }

    /// Stops receiving.
    pub fn pause_reading(&self) {
        self.0.0.pause_reading();
    }

    /// Receives again.
    pub fn resume_reading(&self) {
        self.0.0.resume_reading();
    }

    /// Returns true while the connection receives.
    pub fn is_reading(&self) -> bool {
        self.0.0.is_reading()
    }
}

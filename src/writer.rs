//! Writing.

use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use futures::io::AsyncWrite;

use crate::address::{Address, Credentials};
use crate::connection::{Connection, Handle};
use crate::error::{ConnectError, ErrorCode, WriteError};
use crate::ssl::{SslObject, TlsOptions};
use crate::water_marks::WaterMarks;

/// Writes to a connection or a stream of bytes.
///
/// [`write`](Self::write) takes the bytes and returns at once; they are sent in
/// the background, many writes in one. Follow it with [`drain`](Self::drain),
/// which waits while more is buffered than is sensible.
///
/// The connection ends with [`close`](Self::close), or when its last reader and
/// writer are dropped. Everything written is sent first, also when the program
/// returns right after. A clone is another handle of the same writer.
///
/// # Cancel safety
/// Every method is cancel-safe: what was written stays written.
#[derive(Debug, Clone)]
pub struct StreamWriter {
    connection: Handle,
}

/// The transport of a connection: its buffers, its flow control, and the hard
/// way to end it.
#[derive(Debug, Clone, Copy)]
pub struct Transport<'a>(&'a StreamWriter);

/// A value of [`StreamWriter::get_extra_info`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtraInfo {
    /// `peername`, `sockname`.
    Address(Address),
    /// Text, such as the name of a cipher.
    Text(String),
    /// Bytes, such as a certificate in DER.
    Bytes(Vec<u8>),
    /// A number.
    Number(u64),
    /// `peercred`.
    Credentials(Credentials),
}

impl StreamWriter {
    pub(crate) fn new(connection: Handle) -> StreamWriter {
        StreamWriter { connection }
    }

    /// Takes the bytes; they are sent in the background.
    ///
    /// # Errors
    /// [`WriteError::Closed`] after `close`, [`WriteError::EofWritten`] after
    /// `write_eof`, [`WriteError::Connection`] when the connection failed,
    /// [`WriteError::Aborted`] when `abort` threw bytes away,
    /// [`WriteError::BufferFull`] while more than 64 MiB wait already. Nothing
    /// was taken then.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        let data = data.as_ref();
        self.connection
            .write(data.len(), |buffer| buffer.extend_from_slice(data))
    }

    /// Writes the pieces in order, all of them or none.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn writelines<T: AsRef<[u8]>>(
        &self,
        data: impl IntoIterator<Item = T>,
    ) -> Result<(), WriteError> {
        let mut joined = Vec::new();
        for piece in data {
            joined.extend_from_slice(piece.as_ref());
        }
        self.write(joined)
    }

    /// Waits while the write buffer is above its high-water mark, until it is
    /// down to the low one. Any number of tasks may wait.
    ///
    /// # Errors
    /// [`WriteError::Connection`] when the connection failed,
    /// [`WriteError::Aborted`] when `abort` threw bytes away,
    /// [`WriteError::Closed`] once the connection is closed.
    pub async fn drain(&self) -> Result<(), WriteError> {
        self.connection.drain().await
    }

    /// Writes the bytes, then drains: [`write`](Self::write) and [`drain`](Self::drain)
    /// in one call.
    ///
    /// # Errors
    /// As for [`write`](Self::write) and [`drain`](Self::drain). After an error of `drain`
    /// it is not known how much the peer has received.
    ///
    /// # Cancel safety
    /// The first poll writes all of `data`, or none of it where `write` fails. Dropping the
    /// future later takes nothing back: the bytes are still sent, and calling `send` again
    /// with the same data sends them twice. A future that was never polled has written
    /// nothing.
    pub async fn send(&self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.write(data)?;
        self.drain().await
    }

    /// As [`drain`](Self::drain), where that need not wait; else false.
    #[cfg(feature = "component")]
    pub(crate) fn drain_now(&self) -> Result<bool, WriteError> {
        self.connection.drain_now()
    }

    /// Sends what is buffered, then the end of the data. Reading goes on. A
    /// second call, or one after `close`, does nothing.
    ///
    /// # Errors
    /// [`WriteError::Connection`] when the connection failed.
    pub fn write_eof(&self) -> Result<(), WriteError> {
        self.connection.write_eof()
    }

    /// Whether [`write_eof`](Self::write_eof) works here: always.
    pub fn can_write_eof(&self) -> bool {
        true
    }

    /// Stops reading, sends what is buffered in the background, then closes. A
    /// second call does nothing.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Whether the connection is closed or being closed: by `close`, `abort` or
    /// a failure. The end of the peer's data is none of these.
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// Waits until the connection is closed. Any number of tasks may wait; all
    /// get the same answer. Before `close` it waits for that.
    ///
    /// There is no limit on how long a peer may take to receive what was
    /// written: see [`timeout`](crate::timeout) and [`Transport::abort`].
    ///
    /// # Errors
    /// The code with which the connection failed, if it did.
    pub async fn wait_closed(&self) -> Result<(), ErrorCode> {
        self.connection.wait_closed().await
    }

    /// A detail of the connection by asyncio's name for it: `peername`,
    /// `sockname`; over a Unix socket `peercred`; with TLS `peercert` (in DER), `cipher`, `cipher_bits`, `version`,
    /// `alpn_protocol` and `server_hostname`, which [`ssl_object`](Self::ssl_object)
    /// has as well. `None` where there is none, as for `compression`.
    pub fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        let text = |text: &str| ExtraInfo::Text(text.to_owned());
        let tls = self.ssl_object();
        match name {
            "peername" => self.peername().map(ExtraInfo::Address),
            "sockname" => self.sockname().map(ExtraInfo::Address),
            "peercred" => (self.connection.names().process).map(ExtraInfo::Credentials),
            "peercert" => tls?.getpeercert().map(|der| ExtraInfo::Bytes(der.to_vec())),
            "cipher" => Some(text(tls?.cipher().0)),
            "cipher_bits" => Some(ExtraInfo::Number(tls?.cipher().2.into())),
            "version" => Some(text(tls?.version())),
            "alpn_protocol" => tls?.selected_alpn_protocol().map(text),
            "server_hostname" => tls?.server_hostname().map(text),
            _ => None,
        }
    }

    /// What the TLS handshake came to; `None` without TLS.
    pub fn ssl_object(&self) -> Option<&SslObject> {
        self.connection.ssl_object()
    }

    /// Begins TLS on the open connection: everything written before is sent as it
    /// is, everything written from now on waits for the session. Reader and writer
    /// go on with it.
    ///
    /// A context of a client's begins the session, one of a server's waits for the
    /// client; what it has sent already is taken into account. A client needs a
    /// [`server_hostname`](TlsOptions::server_hostname).
    ///
    /// # Errors
    /// [`ConnectError::InvalidArgument`] and [`ConnectError::NotSupported`] before
    /// anything was done. [`ConnectError::Tls`] when the handshake failed, also
    /// because there was something in the buffer that is no part of it
    /// ([`TlsError::UnexpectedData`](crate::TlsError::UnexpectedData)): somebody
    /// between the two ends may have put it there. The connection is closed then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection at once: which bytes would be
    /// part of the session is not known.
    pub async fn start_tls(&self, options: impl Into<TlsOptions>) -> Result<(), ConnectError> {
        let wanted = options.into().0.either()?.ok_or_else(|| {
            ConnectError::InvalidArgument("start-tls needs an SSL context".into())
        })?;
        self.connection.start_tls(wanted).await
    }

    /// The peer's address, as it was when the connection was made.
    pub fn peername(&self) -> Option<Address> {
        self.connection.names().peer.clone()
    }

    /// The local address, as it was when the connection was made.
    pub fn sockname(&self) -> Option<Address> {
        self.connection.names().local.clone()
    }

    /// The transport.
    pub fn transport(&self) -> Transport<'_> {
        Transport(self)
    }

    /// The connection, without holding it open.
    pub(crate) fn downgrade(&self) -> Weak<Connection> {
        self.connection.downgrade()
    }

    /// What was written and not handed to the transport yet.
    pub(crate) fn take_queued(&self) -> Vec<u8> {
        self.connection.take_queued()
    }
}

impl Transport<'_> {
    /// Throws away what is buffered and closes at once.
    pub fn abort(&self) {
        self.0.connection.abort();
    }

    /// Sets the water marks; 64 KiB and 16 KiB unless set.
    ///
    /// # Errors
    /// [`WriteError::InvalidArgument`] if `low` is above `high`.
    pub fn set_write_buffer_limits(&self, marks: WaterMarks) -> Result<(), WriteError> {
        self.0.connection.set_write_buffer_limits(marks)
    }

    /// Returns the water marks.
    pub fn get_write_buffer_limits(&self) -> WaterMarks {
        self.0.connection.write_buffer_limits()
    }

    /// How many bytes were written and not yet taken by the host's socket.
    pub fn get_write_buffer_size(&self) -> usize {
        self.0.connection.write_buffer_size()
    }

    /// Stops receiving until [`resume_reading`](Self::resume_reading).
    pub fn pause_reading(&self) {
        self.0.connection.pause_reading();
    }

    /// Receives again.
    pub fn resume_reading(&self) {
        self.0.connection.resume_reading();
    }

    /// Whether the connection is receiving: neither paused nor closing.
    pub fn is_reading(&self) -> bool {
        self.0.connection.is_reading()
    }
}

impl AsyncWrite for StreamWriter {
    /// Takes everything, once the buffer is not above its high-water mark.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        std::task::ready!(self.connection.poll_drained(cx))?;
        self.write(data)?;
        Poll::Ready(Ok(data.len()))
    }

    /// Waits until everything written was taken by the host.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.connection.poll_flushed(cx).map_err(Into::into)
    }

    /// Closes the connection and waits until it is closed.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.connection.close();
        self.connection.poll_closed(cx).map_err(Into::into)
    }
}

//! The writing half of a connection.

use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll};

use futures::io::AsyncWrite;

use crate::address::{Address, Credentials};
use crate::connection::{Connection, Handle};
use crate::error::{ConnectError, ErrorCode, WriteError};
use crate::socket::options::SocketOptions;
use crate::ssl::{SslObject, TlsOptions};
use crate::water_marks::WaterMarks;

/// Writes to a connection or a byte stream.
///
/// [`write`](Self::write) buffers the bytes and returns at once; they are sent in the
/// background, many writes in one. Follow it with [`drain`](Self::drain), which waits while
/// more is buffered than the water marks allow. [`send`](Self::send) does both.
///
/// The connection ends with [`close`](Self::close), or when its last reader and writer are
/// dropped. Everything written is sent first, also when the program returns right after. A
/// clone is another handle of the same writer.
///
/// It is a [`futures::io::AsyncWrite`] too. Closing it there
/// ([`AsyncWriteExt::close`](futures::io::AsyncWriteExt::close)) ends this direction only, as
/// [`write_eof`](Self::write_eof): what crates made for that trait expect.
///
/// The type is `!Send`; [`StreamReader`](crate::StreamReader) says why that is fine.
///
/// # Cancel safety
/// Every method is cancel-safe: dropping its future takes back no written bytes.
/// [`send`](Self::send) says when it has written.
#[derive(Debug, Clone)]
pub struct StreamWriter {
    connection: Handle,
}

/// The transport of a connection: its write buffer, its flow control, and `abort`.
#[derive(Debug, Clone, Copy)]
pub struct Transport<'a>(&'a StreamWriter);

/// A value of [`StreamWriter::get_extra_info`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtraInfo {
    /// An address: `peername`, `sockname`.
    Address(Address),
    /// Text, such as the name of a cipher.
    Text(String),
    /// Bytes, such as a certificate in DER.
    Bytes(Vec<u8>),
    /// A number.
    Number(u64),
    /// The peer's process: `peercred`.
    Credentials(Credentials),
}

impl StreamWriter {
    pub(crate) fn new(connection: Handle) -> StreamWriter {
        StreamWriter { connection }
    }

    /// Buffers the bytes, which are sent in the background.
    ///
    /// # Errors
    /// [`WriteError::Closed`] after `close`, [`WriteError::EofWritten`] after `write_eof`,
    /// [`WriteError::Connection`] when the connection failed, [`WriteError::Aborted`] when
    /// `abort` dropped bytes, [`WriteError::BufferFull`] while more than 64 MiB are buffered.
    /// Nothing is buffered then.
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

    /// Waits while the write buffer is above its high-water mark, until it is down to the low
    /// one. Any number of tasks may wait.
    ///
    /// # Errors
    /// [`WriteError::Connection`] when the connection failed, [`WriteError::Aborted`] when
    /// `abort` dropped bytes, [`WriteError::Closed`] once the connection is closed.
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

    /// Does as [`drain`](Self::drain) if that need not wait; returns false otherwise.
    #[cfg(feature = "component")]
    pub(crate) fn drain_now(&self) -> Result<bool, WriteError> {
        self.connection.drain_now()
    }

    /// Sends what is buffered, then the end of the data. Reading goes on. A second call, or one
    /// after `close`, does nothing.
    ///
    /// # Errors
    /// [`WriteError::Connection`] when the connection failed.
    pub fn write_eof(&self) -> Result<(), WriteError> {
        self.connection.write_eof()
    }

    /// Returns true: [`write_eof`](Self::write_eof) works on every connection.
    pub fn can_write_eof(&self) -> bool {
        true
    }

    /// Stops reading, sends what is buffered in the background, then closes. A
    /// second call does nothing.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Returns true if the connection is closed or closing, after `close`, `abort` or a
    /// failure. The end of the peer's data does not close it.
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// Waits until the connection is closed, also if `close` is still to come. Any number of
    /// tasks may wait; all get the same result.
    ///
    /// A peer may take any time to receive what was written: see
    /// [`timeout`](crate::timeout) and [`Transport::abort`].
    ///
    /// # Errors
    /// The error with which the connection failed.
    pub async fn wait_closed(&self) -> Result<(), ErrorCode> {
        self.connection.wait_closed().await
    }

    /// Returns a detail of the connection by asyncio's name for it; `None` if the connection
    /// has no such detail.
    ///
    /// The names are `peername` and `sockname`; over a Unix socket `peercred`; with TLS
    /// `peercert` (in DER), `cipher`, `cipher_bits`, `version`, `alpn_protocol` and
    /// `server_hostname`, which [`ssl_object`](Self::ssl_object) has, too.
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

    /// Returns the result of the TLS handshake, of the innermost session if there are several;
    /// `None` without TLS.
    pub fn ssl_object(&self) -> Option<&SslObject> {
        self.connection.ssl_object()
    }

    /// Begins TLS on the open connection, and waits for the handshake. Reader and writer go on
    /// with the session.
    ///
    /// Bytes written before are sent without TLS; bytes written from now on wait for the
    /// session. With a client's context this end begins the handshake, and needs a
    /// [`server_hostname`](TlsOptions::server_hostname). With a server's context it waits for
    /// the client; bytes of its handshake that were received already count.
    ///
    /// On a connection that has TLS already, the new session runs inside the earlier one, such
    /// as behind an HTTPS proxy. [`ssl_object`](Self::ssl_object) then tells of the new one.
    ///
    /// # Errors
    /// [`ConnectError::InvalidArgument`] and [`ConnectError::NotSupported`] before anything was
    /// done. [`ConnectError::Tls`] when the handshake failed; the connection is closed then.
    /// Buffered bytes that are not part of the handshake make it fail, too
    /// ([`TlsError::UnexpectedData`](crate::TlsError::UnexpectedData)): a machine between the
    /// two ends may have inserted them.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the connection: it is unknown which bytes would be part of
    /// the session.
    pub async fn start_tls(&self, options: impl Into<TlsOptions>) -> Result<(), ConnectError> {
        let wanted = options.into().0.either()?.ok_or_else(|| {
            ConnectError::InvalidArgument("start-tls needs an SSL context".into())
        })?;
        self.connection.start_tls(wanted).await
    }

    /// Returns the peer's address when the connection was made.
    pub fn peername(&self) -> Option<Address> {
        self.connection.names().peer.clone()
    }

    /// Returns the local address when the connection was made.
    pub fn sockname(&self) -> Option<Address> {
        self.connection.names().local.clone()
    }

    /// Returns the options of the connection's socket, such as keep-alive.
    pub fn socket_options(&self) -> SocketOptions<'_> {
        SocketOptions::new(&self.connection)
    }

    /// Returns the transport.
    pub fn transport(&self) -> Transport<'_> {
        Transport(self)
    }

    /// Returns the connection, without keeping it open.
    pub(crate) fn downgrade(&self) -> Weak<Connection> {
        self.connection.downgrade()
    }
}

impl Transport<'_> {
    /// Drops what is buffered and closes the connection at once.
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

    /// Returns the number of bytes that were written and not taken by the host yet.
    pub fn get_write_buffer_size(&self) -> usize {
        self.0.connection.write_buffer_size()
    }

    /// Stops receiving until [`resume_reading`](Self::resume_reading).
    pub fn pause_reading(&self) {
        self.0.connection.pause_reading();
    }

    /// Resumes receiving.
    pub fn resume_reading(&self) {
        self.0.connection.resume_reading();
    }

    /// Returns true while the connection receives: it is neither paused nor closing.
    pub fn is_reading(&self) -> bool {
        self.0.connection.is_reading()
    }
}

impl AsyncWrite for StreamWriter {
    /// Writes everything, once the buffer is not above its high-water mark.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        std::task::ready!(self.connection.poll_drained(cx))?;
        self.write(data)?;
        Poll::Ready(Ok(data.len()))
    }

    /// Waits until the host has taken everything written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.connection.poll_flushed(cx).map_err(Into::into)
    }

    /// Ends the data, as [`write_eof`](StreamWriter::write_eof) does, and waits until the
    /// host has taken the end. Reading goes on.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.write_eof()?;
        self.connection.poll_ended(cx).map_err(Into::into)
    }
}

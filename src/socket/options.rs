//! The options of a connection's socket.

use std::time::Duration;

use wasi::sockets::types::TcpSocket;

use crate::connection::Connection;
use crate::error::ErrorCode;
use crate::tcp_options;

/// The options of a connection's socket: asyncio's
/// `get_extra_info("socket").setsockopt(...)`. With TLS they are those of the socket below
/// the session.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let (reader, writer) = asyncio_streams::open_connection("example.com", 80).await?;
/// let options = writer.socket_options();
/// options.set_keep_alive(true)?;
/// options.set_keep_alive_idle_time(Duration::from_secs(30))?;
/// # drop(reader); Ok(())
/// # }
/// ```
///
/// # Errors
/// The methods fail with [`ErrorCode::InvalidState`] once the connection is closed and
/// while [`start_tls`](crate::StreamWriter::start_tls) waits, and with [`ErrorCode::NotSupported`]
/// for a stream that is no connection. A Unix socket has no option of TCP
/// ([`ErrorCode::NotSupported`]); it has keep-alive, without an effect, and the sizes of
/// buffers.
#[derive(Debug, Clone, Copy)]
pub struct SocketOptions<'a>(&'a Connection);

/// An option that every host of WASI has for TCP sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SocketOption {
    KeepAlive,
    /// In nanoseconds.
    KeepAliveIdleTime,
    /// In nanoseconds.
    KeepAliveInterval,
    KeepAliveCount,
    ReceiveBufferSize,
    SendBufferSize,
}

/// Returns the value of TCP_NODELAY.
///
/// A function pointer, so that the linker drops the import of `asyncio:host` from programs
/// that do not use the option. [`Setter`] is one for the same reason.
pub(crate) type Getter = fn(&TcpSocket) -> Result<bool, ErrorCode>;
/// Sets TCP_NODELAY.
pub(crate) type Setter = fn(&TcpSocket, bool) -> Result<(), ErrorCode>;

/// A socket, or the socket below a session.
pub(crate) trait HasOptions {
    /// Returns the value of an option; 0 and 1 for false and true.
    fn option(&self, option: SocketOption) -> Result<u64, ErrorCode>;

    /// Sets an option.
    fn set_option(&self, option: SocketOption, value: u64) -> Result<(), ErrorCode>;

    /// Returns the value of TCP_NODELAY; `of_tcp` has that of a TCP socket.
    fn no_delay(&self, of_tcp: Getter) -> Result<bool, ErrorCode>;

    /// Sets TCP_NODELAY; `of_tcp` sets it for a TCP socket.
    fn set_no_delay(&self, no_delay: bool, of_tcp: Setter) -> Result<(), ErrorCode>;
}

impl<'a> SocketOptions<'a> {
    pub(crate) fn new(connection: &'a Connection) -> SocketOptions<'a> {
        SocketOptions(connection)
    }

    /// Returns true if small writes are sent at once (TCP_NODELAY).
    ///
    /// A program that calls this, or [`set_no_delay`](Self::set_no_delay), imports
    /// `asyncio:host/tcp-options`, which the command `asyncio-streams run` and the crate
    /// `asyncio-streams-host` provide. WASI has every other option.
    ///
    /// # Errors
    /// As for [all options](Self).
    #[inline]
    pub fn no_delay(&self) -> Result<bool, ErrorCode> {
        self.0
            .with_socket(|socket| socket.no_delay(tcp_options::no_delay))
    }

    /// Sends small writes at once (TCP_NODELAY); true unless set. With false the kernel holds
    /// them until the peer has acknowledged earlier data.
    ///
    /// # Errors
    /// As for [all options](Self).
    #[inline]
    pub fn set_no_delay(&self, no_delay: bool) -> Result<(), ErrorCode> {
        self.0
            .with_socket(|socket| socket.set_no_delay(no_delay, tcp_options::set_no_delay))
    }

    /// Returns true if the kernel probes the connection while it is idle (SO_KEEPALIVE).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn keep_alive(&self) -> Result<bool, ErrorCode> {
        Ok(self.get(SocketOption::KeepAlive)? != 0)
    }

    /// Probes the connection while it is idle (SO_KEEPALIVE); false unless set. A peer that
    /// answers no probe fails the connection with [`ErrorCode::Timeout`].
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn set_keep_alive(&self, keep_alive: bool) -> Result<(), ErrorCode> {
        self.set(SocketOption::KeepAlive, keep_alive.into())
    }

    /// Returns the idle time before the first probe (TCP_KEEPIDLE).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn keep_alive_idle_time(&self) -> Result<Duration, ErrorCode> {
        let time = self.get(SocketOption::KeepAliveIdleTime)?;
        Ok(Duration::from_nanos(time))
    }

    /// Sets the idle time before the first probe (TCP_KEEPIDLE). The kernel rounds it to what
    /// it can count.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for no time, and as for [all options](Self).
    pub fn set_keep_alive_idle_time(&self, time: Duration) -> Result<(), ErrorCode> {
        self.set(SocketOption::KeepAliveIdleTime, nanoseconds(time))
    }

    /// Returns the time between probes (TCP_KEEPINTVL).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn keep_alive_interval(&self) -> Result<Duration, ErrorCode> {
        let time = self.get(SocketOption::KeepAliveInterval)?;
        Ok(Duration::from_nanos(time))
    }

    /// Sets the time between probes (TCP_KEEPINTVL).
    ///
    /// # Errors
    /// As for [`set_keep_alive_idle_time`](Self::set_keep_alive_idle_time).
    pub fn set_keep_alive_interval(&self, time: Duration) -> Result<(), ErrorCode> {
        self.set(SocketOption::KeepAliveInterval, nanoseconds(time))
    }

    /// Returns the number of unanswered probes that fail the connection (TCP_KEEPCNT).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        Ok(count(self.get(SocketOption::KeepAliveCount)?))
    }

    /// Sets the number of unanswered probes that fail the connection (TCP_KEEPCNT).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for 0, and as for [all options](Self).
    pub fn set_keep_alive_count(&self, count: u32) -> Result<(), ErrorCode> {
        self.set(SocketOption::KeepAliveCount, count.into())
    }

    /// Returns the size in bytes of the kernel's receive buffer (SO_RCVBUF).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        self.get(SocketOption::ReceiveBufferSize)
    }

    /// Asks the kernel for a receive buffer of this size (SO_RCVBUF). The kernel has a
    /// largest and a smallest size.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for 0, and as for [all options](Self).
    pub fn set_receive_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        self.set(SocketOption::ReceiveBufferSize, size)
    }

    /// Returns the size in bytes of the kernel's send buffer (SO_SNDBUF).
    ///
    /// # Errors
    /// As for [all options](Self).
    pub fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        self.get(SocketOption::SendBufferSize)
    }

    /// Asks the kernel for a send buffer of this size (SO_SNDBUF).
    ///
    /// # Errors
    /// As for [`set_receive_buffer_size`](Self::set_receive_buffer_size).
    pub fn set_send_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        self.set(SocketOption::SendBufferSize, size)
    }

    fn get(&self, option: SocketOption) -> Result<u64, ErrorCode> {
        self.0.with_socket(|socket| socket.option(option))
    }

    fn set(&self, option: SocketOption, value: u64) -> Result<(), ErrorCode> {
        self.0
            .with_socket(|socket| socket.set_option(option, value))
    }
}

/// Converts a count of probes. The kernel counts no further than 127.
pub(crate) fn count(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

//! What WASI's own sockets have no words for, on sockets that a program makes
//! itself: before it gives them to [`ConnectOptions::adopt`] or
//! [`ServerOptions::adopt`], or instead of that.
//!
//! Servers of [`start_server`] need none of it: they have
//! [`ServerOptions::reuse_address`] and [`ServerOptions::reuse_port`], and small
//! writes are sent at once unless this module is told otherwise.
//!
//! A program that calls any of this, or one of those two to change what is
//! usual, imports `asyncio:host/tcp-options`, which the command
//! `asyncio-streams run` and the crate `asyncio-streams-host` provide. Other
//! hosts may not, and then refuse to start it; without such a call nothing but
//! WASI is imported.
//!
//! ```no_run
//! use asyncio_streams::wasi::sockets::types::{IpAddressFamily, IpSocketAddress, TcpSocket};
//! use asyncio_streams::{ConnectOptions, StreamReader, StreamWriter, tcp_options};
//!
//! type Streams = (StreamReader, StreamWriter);
//!
//! /// A connection whose small writes are gathered while others are under way.
//! async fn gathering(to: IpSocketAddress) -> Result<Streams, Box<dyn std::error::Error>> {
//!     let socket = TcpSocket::create(IpAddressFamily::Ipv4)?;
//!     tcp_options::set_no_delay(&socket, false)?;
//!     socket.connect(to).await?;
//!     Ok(ConnectOptions::new().adopt(socket).await?)
//! }
//! ```
//!
//! [`ConnectOptions::adopt`]: crate::ConnectOptions::adopt
//! [`ServerOptions::adopt`]: crate::ServerOptions::adopt
//! [`start_server`]: crate::start_server
//! [`ServerOptions::reuse_address`]: crate::ServerOptions::reuse_address
//! [`ServerOptions::reuse_port`]: crate::ServerOptions::reuse_port

#[cfg_attr(any(not(feature = "component"), feature = "full"), path = "host.rs")]
#[cfg_attr(all(feature = "component", not(feature = "full")), path = "absent.rs")]
mod host;

use wasi::sockets::types::TcpSocket;

use crate::error::ErrorCode;

/// Whether there is any of it: the streams component's variant `tcp` has none.
pub(crate) const AVAILABLE: bool = host::AVAILABLE;

/// Ends a connection at once, so that the peer sees a reset. What was not sent
/// yet, and what was received and not read, is dropped; both streams of the
/// socket end with [`ErrorCode::ConnectionAborted`].
///
/// [`Transport::abort`](crate::Transport::abort), which is asyncio's, also drops
/// what was not sent, and tells the peer the end of the data instead.
///
/// # Errors
/// [`ErrorCode::InvalidState`] if the socket is not connected.
#[cfg(feature = "bindings")]
pub fn reset(socket: &TcpSocket) -> Result<(), ErrorCode> {
    host::reset(socket).map_err(ErrorCode::from_wasi)
}

/// Whether small writes are sent at once, and not kept back until what was sent
/// before is acknowledged (TCP_NODELAY); true unless set. The connections that a
/// listener accepts begin with what it has.
///
/// # Errors
/// [`ErrorCode::InvalidState`] while the socket connects.
#[cfg(feature = "bindings")]
pub fn set_no_delay(socket: &TcpSocket, no_delay: bool) -> Result<(), ErrorCode> {
    host::set_no_delay(socket, no_delay).map_err(ErrorCode::from_wasi)
}

/// Whether an address that ended connections still hold may be bound
/// (SO_REUSEADDR); true unless set.
///
/// # Errors
/// [`ErrorCode::InvalidState`] once the socket is bound or in use.
pub fn set_reuse_address(socket: &TcpSocket, reuse: bool) -> Result<(), ErrorCode> {
    host::set_reuse_address(socket, reuse).map_err(ErrorCode::from_wasi)
}

/// Whether other sockets may be bound to the same address and port, if they set
/// this as well (SO_REUSEPORT); false unless set. Connections are spread over
/// those that listen.
///
/// The host's policy decides when the socket is bound: a port that somebody else
/// may hold needs a rule that names this very port.
///
/// # Errors
/// [`ErrorCode::InvalidState`] once the socket is bound or in use.
pub fn set_reuse_port(socket: &TcpSocket, reuse: bool) -> Result<(), ErrorCode> {
    host::set_reuse_port(socket, reuse).map_err(ErrorCode::from_wasi)
}

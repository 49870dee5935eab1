//! Options of TCP sockets that WASI's interface lacks.
//!
//! They are for sockets that a program creates itself, usually before it gives them to
//! [`ConnectOptions::adopt`] or [`ServerOptions::adopt`]. A connection has its options in
//! [`StreamWriter::socket_options`](crate::StreamWriter::socket_options). Servers of [`start_server`] do not
//! need them: [`ServerOptions`] has [`reuse_address`] and [`reuse_port`], and the host sends
//! small writes at once.
//!
//! A program that calls one of these functions imports `asyncio:host/tcp-options`; so does a
//! program that sets `reuse_address` or `reuse_port` to another value than the default. The
//! command `asyncio-streams run` and the crate `asyncio-streams-host` provide that interface.
//! A host without it refuses to start such a program. Other programs import nothing but WASI.
//!
#![cfg_attr(feature = "bindings", doc = "```no_run")]
#![cfg_attr(not(feature = "bindings"), doc = "```ignore")]
//! use asyncio_streams::wasi::sockets::types::{IpAddressFamily, IpSocketAddress, TcpSocket};
//! use asyncio_streams::{ConnectOptions, StreamReader, StreamWriter, tcp_options};
//!
//! type Streams = (StreamReader, StreamWriter);
//!
//! /// Connects, and lets the kernel gather small writes (Nagle's algorithm).
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
//! [`ServerOptions`]: crate::ServerOptions
//! [`reuse_address`]: crate::ServerOptions::reuse_address
//! [`reuse_port`]: crate::ServerOptions::reuse_port

#[cfg_attr(any(not(feature = "component"), feature = "full"), path = "host.rs")]
#[cfg_attr(all(feature = "component", not(feature = "full")), path = "absent.rs")]
mod host;

use wasi::sockets::types::TcpSocket;

use crate::error::ErrorCode;

/// False in the streams component's variant `tcp`, which has no such options.
pub(crate) const AVAILABLE: bool = host::AVAILABLE;

/// Resets a connection. Bytes that were not sent yet and bytes that were not read yet are
/// dropped; both byte streams of the socket end with [`ErrorCode::ConnectionAborted`].
///
/// [`Transport::abort`](crate::Transport::abort), which is asyncio's, drops unsent bytes, too,
/// but the peer sees the end of the data and no reset.
///
/// # Errors
/// [`ErrorCode::InvalidState`] if the socket is not connected.
#[cfg(feature = "bindings")]
pub fn reset(socket: &TcpSocket) -> Result<(), ErrorCode> {
    host::reset(socket).map_err(ErrorCode::from_wasi)
}

/// Sends small writes at once (TCP_NODELAY); true unless set. With false the kernel holds them
/// until the peer has acknowledged earlier data. Accepted connections inherit the listener's
/// value.
///
/// # Errors
/// [`ErrorCode::InvalidState`] while the socket connects.
pub fn set_no_delay(socket: &TcpSocket, no_delay: bool) -> Result<(), ErrorCode> {
    host::set_no_delay(socket, no_delay).map_err(ErrorCode::from_wasi)
}

/// Returns true if small writes are sent at once (TCP_NODELAY).
///
/// # Errors
/// As for [`set_no_delay`].
pub fn no_delay(socket: &TcpSocket) -> Result<bool, ErrorCode> {
    host::get_no_delay(socket).map_err(ErrorCode::from_wasi)
}

/// Allows binding an address that closed connections still hold (SO_REUSEADDR); true unless
/// set.
///
/// # Errors
/// [`ErrorCode::InvalidState`] once the socket is bound or in use.
pub fn set_reuse_address(socket: &TcpSocket, reuse: bool) -> Result<(), ErrorCode> {
    host::set_reuse_address(socket, reuse).map_err(ErrorCode::from_wasi)
}

/// Allows several sockets that set this to be bound to the same address and port
/// (SO_REUSEPORT); false unless set. The kernel spreads connections over those that listen.
///
/// The policy decides when the socket is bound: a port that another process may hold needs a
/// rule that names this very port.
///
/// # Errors
/// [`ErrorCode::InvalidState`] once the socket is bound or in use.
pub fn set_reuse_port(socket: &TcpSocket, reuse: bool) -> Result<(), ErrorCode> {
    host::set_reuse_port(socket, reuse).map_err(ErrorCode::from_wasi)
}

//! Sockets that exist before their streams: asyncio's `sock`.

pub(crate) mod host_socket;
pub(crate) mod options;
pub(crate) mod tcp;
#[cfg_attr(all(feature = "component", not(feature = "full")), path = "absent.rs")]
pub(crate) mod unix;

use std::fmt;

use self::host_socket::HostSocket;
use crate::address::{Address, UnixAddress};
use crate::error::ErrorCode;
use crate::refusal::Refusal;

/// A socket that has no streams yet: an end of a pair, an inherited listener, or one of
/// WASI's TCP sockets. Dropping it closes it.
///
/// [`ConnectOptions::adopt`](crate::ConnectOptions::adopt) and
/// [`ServerOptions::adopt`](crate::ServerOptions::adopt) take it.
///
/// It is `!Send`, as are all types of this crate that stand for something of the host's;
/// [`StreamReader`](crate::StreamReader) says why that is fine.
#[must_use = "dropping a socket closes it"]
pub struct Socket(pub(crate) Box<dyn HostSocket>);

/// Returns two Unix sockets that are connected to each other.
///
/// A program that calls this imports `asyncio:host/unix-sockets`, which the command
/// `asyncio-streams run` and the crate `asyncio-streams-host` provide. It needs no rule of
/// the policy.
///
/// # Errors
/// [`ErrorCode::NotSupported`] if the host has no Unix sockets, [`ErrorCode::Other`] when
/// the program has as many sockets open as the host permits.
pub fn socketpair() -> Result<(Socket, Socket), ErrorCode> {
    let (one, other) = unix::pair()?;
    Ok((Socket(one), Socket(other)))
}

/// Takes the next inherited listener of that name, TCP or Unix, for
/// [`ServerOptions::adopt`](crate::ServerOptions::adopt). It needs no rule of the policy.
///
/// Inherited listeners are listening sockets that the host was given when it started, such
/// as those of a service manager (`asyncio-streams run --listen-fds`). A program that calls
/// this imports `asyncio:host/listeners`.
///
/// # Errors
/// [`ErrorCode::AccessDenied`] if the host has no listener of that name,
/// [`ErrorCode::InvalidState`] if all of them were taken.
pub fn listener(name: &str) -> Result<Socket, ErrorCode> {
    Ok(Socket(unix::listener(name)?))
}

/// Returns the names of the inherited listeners that were not taken yet.
pub fn listeners() -> Vec<String> {
    unix::listeners()
}

impl Socket {
    /// Sends as much as the kernel has room for, without waiting. Returns the number of
    /// bytes sent; 0 if there is no room.
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionBroken`] when the peer no longer receives,
    /// [`ErrorCode::InvalidState`] if there is no peer,
    /// [`ErrorCode::NotSupported`] for a TCP socket, which has to be adopted first.
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<usize, ErrorCode> {
        self.0.send_nowait(data.as_ref())
    }

    /// Receives what has arrived, at most `n` bytes, without waiting. Returns `None` if
    /// nothing has arrived, and empty bytes at the end of the data.
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionReset`] when the peer closed its end before it had received
    /// everything. Else as for [`send`](Self::send).
    pub fn recv(&self, n: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        self.0.receive_nowait(n)
    }

    /// Returns the address of this end; `None` if it has none.
    pub fn sockname(&self) -> Option<Address> {
        self.0.local_address().ok()
    }

    /// Returns the address of the other end; `None` if the socket is not connected.
    pub fn peername(&self) -> Option<Address> {
        self.0.names().peer
    }
}

#[cfg(feature = "bindings")]
impl From<wasi::sockets::types::TcpSocket> for Socket {
    fn from(socket: wasi::sockets::types::TcpSocket) -> Socket {
        Socket(Box::new(socket))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("sockname", &self.sockname())
            .field("peername", &self.peername())
            .finish()
    }
}

/// Refuses addresses that no Unix socket can be bound to.
pub(crate) fn check_unix_address(address: &UnixAddress) -> Result<(), Refusal> {
    let why = match address {
        UnixAddress::Path(path) if path.is_empty() => "the path is empty",
        UnixAddress::Abstract(name) if name.is_empty() => "the abstract name is empty",
        UnixAddress::Unnamed => "a Unix socket needs a path or an abstract name",
        _ => return Ok(()),
    };
    Err(Refusal::InvalidArgument(why.into()))
}

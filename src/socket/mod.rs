//! Sockets that are there before their streams: asyncio's `sock`.

pub(crate) mod host_socket;
pub(crate) mod tcp;
#[cfg_attr(all(feature = "component", not(feature = "full")), path = "absent.rs")]
pub(crate) mod unix;

use std::fmt;

use self::host_socket::HostSocket;
use crate::address::{Address, UnixAddress};
use crate::error::ErrorCode;
use crate::refusal::Refusal;

/// A socket that has no streams yet: an end of a pair, a listener of the host's, or
/// one of WASI's TCP sockets. Dropping it closes it.
///
/// [`ConnectOptions::adopt`](crate::ConnectOptions::adopt) and
/// [`ServerOptions::adopt`](crate::ServerOptions::adopt) take it.
pub struct Socket(pub(crate) Box<dyn HostSocket>);

/// Two Unix sockets that are connected to each other.
///
/// A program that calls this imports `asyncio:host/unix-sockets`, which the command
/// `asyncio-streams run` and the crate `asyncio-streams-host` provide. No rule has to
/// permit it.
///
/// # Errors
/// [`ErrorCode::NotSupported`] where there are no Unix sockets, and
/// [`ErrorCode::Other`] when the program has as many sockets as it may.
pub fn socketpair() -> Result<(Socket, Socket), ErrorCode> {
    let (one, other) = unix::pair()?;
    Ok((Socket(one), Socket(other)))
}

/// Takes the next listener of that name from the host, TCP or Unix: for
/// [`ServerOptions::adopt`](crate::ServerOptions::adopt). The program needs no right
/// to listen.
///
/// The command hands over those that a service manager has opened
/// (`--listen-fds`). A program that calls this imports `asyncio:host/listeners`.
///
/// # Errors
/// [`ErrorCode::AccessDenied`] when the host has none of that name,
/// [`ErrorCode::InvalidState`] when all of them were taken.
pub fn listener(name: &str) -> Result<Socket, ErrorCode> {
    Ok(Socket(unix::listener(name)?))
}

/// The names of the listeners that the host has and that were not taken yet.
pub fn listeners() -> Vec<String> {
    unix::listeners()
}

impl Socket {
    /// Sends what the system has room for, without waiting, and returns how many
    /// bytes that was; 0 where it has none.
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionBroken`] when the peer does not receive any more,
    /// [`ErrorCode::InvalidState`] if there is no peer,
    /// [`ErrorCode::NotSupported`] for a TCP socket: it has to be adopted.
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<usize, ErrorCode> {
        self.0.send_nowait(data.as_ref())
    }

    /// Receives what has come, up to `n` bytes, without waiting: `None` where
    /// nothing has, and nothing at the end.
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionReset`] when the peer has closed it without having
    /// received everything; else as for [`send`](Self::send).
    pub fn recv(&self, n: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        self.0.receive_nowait(n)
    }

    /// The address of this end.
    pub fn sockname(&self) -> Option<Address> {
        self.0.local_address().ok()
    }

    /// The address of the other end; `None` where there is none.
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

/// Returns the refusal for a Unix socket's operation that failed with `code`.
pub(crate) fn unix_refusal(code: ErrorCode) -> Refusal {
    match code {
        ErrorCode::NotSupported => Refusal::NotSupported(
            "Unix sockets: they need a host that has them, and the variant `full` of the \
             streams component"
                .into(),
        ),
        code => Refusal::Socket(code),
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

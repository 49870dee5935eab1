//! Listening sockets that the operator gives to guests.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
use thiserror::Error;

use super::load::Load;

/// A listening socket that the operator [gives](crate::StreamsCtxBuilder::listener) to
/// guests, TCP or Unix. Guests need no rule for it.
///
/// Clones are the same socket: the kernel gives each connection to the guest that
/// accepts first. The socket becomes non-blocking when the first guest takes it.
///
/// No guest closes it. When a guest stops, connections that it has not accepted wait
/// for the next listener. The kernel refuses them once the last descriptor is closed,
/// in this process and in the one that has opened the socket.
#[derive(Debug, Clone)]
pub struct InheritedListener(Arc<Inherited>);

#[derive(Debug)]
struct Inherited {
    socket: ListeningSocket,
    listening: AtomicBool,
    load: Arc<Load>,
}

/// The listening socket, as the standard library has it.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The reason why a descriptor cannot be an [`InheritedListener`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InheritedListenerError {
    /// The descriptor is not a socket.
    #[error("it is not a socket")]
    NotASocket,
    /// The socket carries no byte streams.
    #[error("it is not a stream socket")]
    NotAStream,
    /// The socket is connected, or has no use yet.
    #[error("it does not listen")]
    NotListening,
    /// The socket is neither TCP nor Unix.
    #[error("it is neither a TCP nor a Unix socket")]
    OtherFamily,
    /// The kernel does not tell.
    #[error("cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl InheritedListener {
    fn new(socket: ListeningSocket) -> Self {
        let listening = AtomicBool::new(false);
        Self(Arc::new(Inherited {
            socket,
            listening,
            load: Arc::default(),
        }))
    }

    /// Makes a descriptor for one guest.
    pub(crate) fn socket(&self) -> io::Result<ListeningSocket> {
        Ok(match &self.0.socket {
            ListeningSocket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                ListeningSocket::Tcp(listener.try_clone()?)
            }
            ListeningSocket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                ListeningSocket::Unix(listener.try_clone()?)
            }
        })
    }

    /// The open connections of all guests that listen.
    pub(crate) fn load(&self) -> &Arc<Load> {
        &self.0.load
    }

    /// Notes that a guest listens. Returns whether it is the first one.
    pub(crate) fn begin(&self) -> bool {
        !self.0.listening.swap(true, Ordering::Relaxed)
    }
}

impl From<TcpListener> for InheritedListener {
    fn from(listener: TcpListener) -> Self {
        Self::new(ListeningSocket::Tcp(listener))
    }
}

impl From<UnixListener> for InheritedListener {
    fn from(listener: UnixListener) -> Self {
        Self::new(ListeningSocket::Unix(listener))
    }
}

impl TryFrom<OwnedFd> for InheritedListener {
    type Error = InheritedListenerError;

    fn try_from(fd: OwnedFd) -> Result<Self, InheritedListenerError> {
        let kind = sockopt::socket_type(&fd).map_err(|errno| match errno {
            Errno::NOTSOCK => InheritedListenerError::NotASocket,
            errno => InheritedListenerError::Io(errno.into()),
        })?;
        if kind != SocketType::STREAM {
            return Err(InheritedListenerError::NotAStream);
        }
        let address = getsockname(&fd).map_err(io::Error::from)?;
        let socket = match address.address_family() {
            AddressFamily::INET | AddressFamily::INET6 => {
                ListeningSocket::Tcp(TcpListener::from(fd))
            }
            AddressFamily::UNIX => ListeningSocket::Unix(UnixListener::from(fd)),
            _ => return Err(InheritedListenerError::OtherFamily),
        };
        match listens(&socket)? {
            true => Ok(Self::new(socket)),
            false => Err(InheritedListenerError::NotListening),
        }
    }
}

/// Returns whether the socket listens already.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn listens(socket: impl AsFd) -> io::Result<bool> {
    Ok(sockopt::socket_acceptconn(socket)?)
}

/// macOS has no SO_ACCEPTCONN to read; accepting on a socket that does not listen fails.
#[cfg(target_vendor = "apple")]
pub(crate) fn listens(_: impl AsFd) -> io::Result<bool> {
    Ok(true)
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// The listeners of one guest by name. The guest takes each of them once.
#[derive(Debug, Default)]
pub(crate) struct InheritedListeners(Vec<(String, Option<InheritedListener>)>);

/// The reason why a guest cannot have a listener of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeError {
    /// The operator has given no listener of this name.
    Unknown,
    /// The guest has all of them already.
    Taken,
}

impl InheritedListeners {
    pub(crate) fn add(&mut self, name: String, listener: InheritedListener) {
        self.0.push((name, Some(listener)));
    }

    /// Returns the names of the listeners that are not taken.
    pub(crate) fn names(&self) -> Vec<String> {
        let left = self.0.iter().filter(|(_, listener)| listener.is_some());
        left.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the next listener of this name.
    pub(crate) fn next(&self, name: &str) -> Result<&InheritedListener, TakeError> {
        let mut outcome = Err(TakeError::Unknown);
        for (_, listener) in self.0.iter().filter(|(own, _)| own == name) {
            match listener {
                Some(listener) => return Ok(listener),
                None => outcome = Err(TakeError::Taken),
            }
        }
        outcome
    }

    /// Marks the next listener of this name as taken.
    pub(crate) fn taken(&mut self, name: &str) {
        let mut all = self.0.iter_mut();
        if let Some((_, next)) = all.find(|(own, next)| own == name && next.is_some()) {
            *next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn refusal(fd: impl Into<OwnedFd>) -> InheritedListenerError {
        InheritedListener::try_from(fd.into()).unwrap_err()
    }

    #[test]
    fn a_listening_socket_of_any_kind_can_be_inherited() {
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("a")).unwrap();
        for fd in [OwnedFd::from(listener()), unix.into()] {
            InheritedListener::try_from(fd).unwrap();
        }
    }

    #[test]
    fn another_descriptor_is_refused_with_the_reason() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(refusal(file), InheritedListenerError::NotASocket));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(refusal(udp), InheritedListenerError::NotAStream));
        let datagrams = UnixDatagram::unbound().unwrap();
        assert!(matches!(
            refusal(datagrams),
            InheritedListenerError::NotAStream
        ));
        let (end, _) = UnixStream::pair().unwrap();
        assert!(matches!(refusal(end), InheritedListenerError::NotListening));
        let listener = listener();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(matches!(
            refusal(connection),
            InheritedListenerError::NotListening
        ));
    }

    #[test]
    fn each_is_taken_once_in_order_and_several_may_have_one_name() {
        let mut all = InheritedListeners::default();
        for name in ["web", "admin", "web"] {
            all.add(name.to_owned(), listener().into());
        }
        assert_eq!(all.names(), ["web", "admin", "web"]);
        assert!(all.next("web").is_ok());
        all.taken("web");
        assert_eq!(all.names(), ["admin", "web"]);
        assert!(all.next("web").is_ok());
        all.taken("web");
        assert_eq!(all.next("web").unwrap_err(), TakeError::Taken);
        assert_eq!(all.next("other").unwrap_err(), TakeError::Unknown);
        assert_eq!(all.names(), ["admin"]);
    }

    #[test]
    fn the_first_guest_that_listens_on_a_socket_is_told_so() {
        let listener = InheritedListener::from(listener());
        assert!(listener.clone().begin());
        assert!(!listener.begin());
    }
}

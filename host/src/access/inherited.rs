//! Listening sockets that the host hands to guests.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
use thiserror::Error;

/// A listening socket that is [inherited](crate::StreamsCtxBuilder::listener) to guests, who
/// need no rule for it: TCP or Unix.
///
/// Clones are the same socket: where several guests take it, each connection goes
/// to one of them. It becomes non-blocking with the first who takes it.
///
/// No guest closes it. When a guest stops, connections that it has not accepted
/// wait for whoever listens next; they are refused once the last descriptor of the
/// socket is gone, be it this one or that of whoever has opened it.
#[derive(Debug, Clone)]
pub struct InheritedListener(Arc<Inherited>);

#[derive(Debug)]
struct Inherited {
    socket: ListeningSocket,
    listening: AtomicBool,
}

/// A listening socket of the system.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The descriptor is not that of a listening socket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InheritedListenerError {
    /// It is of something else.
    #[error("it is not a socket")]
    NotASocket,
    /// It carries no streams.
    #[error("it is not a stream socket")]
    NotAStream,
    /// It is a connection, or nothing yet.
    #[error("it does not listen")]
    NotListening,
    /// It is neither TCP nor a Unix socket.
    #[error("it is neither a TCP nor a Unix socket")]
    OtherFamily,
    /// It cannot be asked.
    #[error("cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl InheritedListener {
    fn new(socket: ListeningSocket) -> Self {
        let listening = AtomicBool::new(false);
        Self(Arc::new(Inherited { socket, listening }))
    }

    /// A descriptor of it for one guest.
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

    /// A guest listens on it: whether it is the first.
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

/// Whether the socket listens already.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn listens(socket: impl AsFd) -> io::Result<bool> {
    Ok(sockopt::socket_acceptconn(socket)?)
}

/// The system does not tell: whoever accepts is told.
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

/// Those of one guest, which takes each of them once.
#[derive(Debug, Default)]
pub(crate) struct InheritedListeners(Vec<(String, Option<InheritedListener>)>);

/// Why a guest cannot have a listener of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeError {
    /// There never was one.
    Unknown,
    /// It has all of them.
    Taken,
}

impl InheritedListeners {
    pub(crate) fn add(&mut self, name: String, listener: InheritedListener) {
        self.0.push((name, Some(listener)));
    }

    /// The names of those that are not taken.
    pub(crate) fn names(&self) -> Vec<String> {
        let left = self.0.iter().filter(|(_, listener)| listener.is_some());
        left.map(|(name, _)| name.clone()).collect()
    }

    /// The next of this name.
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

    /// The guest has the next of this name.
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
    fn a_listening_socket_is_one_whatever_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("a")).unwrap();
        for fd in [OwnedFd::from(listener()), unix.into()] {
            InheritedListener::try_from(fd).unwrap();
        }
    }

    #[test]
    fn another_descriptor_says_what_it_is_not() {
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
    fn of_those_who_listen_on_one_socket_the_first_is_told() {
        let listener = InheritedListener::from(listener());
        assert!(listener.clone().begin());
        assert!(!listener.begin());
    }
}

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::bind;
use tokio::net::{UnixListener, UnixStream};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::path::{SocketFile, UnixSocketError, abstract_address};
use super::{Unix, UnixSocket, UnusedUnix};
use crate::access::{BindUnix, Granted, InheritedListener, SocketPermit};
use crate::policy::UnixName;
use crate::sockets::shared::BoundSocket;
use crate::sockets::stop::StopHandle;
use crate::sockets::stream::{AcceptedOptions, Acceptor, State, refuse, resume};

/// A bound Unix socket that guests can share.
pub(crate) struct BoundUnix {
    /// Dropped before the descriptor: a file that is there always has a listener.
    pub(super) file: Option<Arc<SocketFile>>,
    pub(super) fd: OwnedFd,
    pub(super) name: UnixName,
}

impl BoundUnix {
    pub(super) fn new(
        socket: &OwnedFd,
        granted: &Granted<BindUnix>,
    ) -> Result<BoundUnix, UnixSocketError> {
        let BindUnix { name, mode } = granted.get();
        let fd = socket.try_clone()?;
        let file = match name.as_path() {
            Some(path) => Some(Arc::new(SocketFile::bind(socket.as_fd(), path, *mode)?)),
            None => {
                let name = name.as_abstract().unwrap_or_default();
                bind(socket, &abstract_address(name)?)?;
                None
            }
        };
        let name = name.clone();
        Ok(BoundUnix { file, fd, name })
    }

    /// Another descriptor of the same socket.
    pub(super) fn duplicate(&self) -> io::Result<BoundUnix> {
        Ok(BoundUnix {
            file: self.file.clone(),
            fd: self.fd.try_clone()?,
            name: self.name.clone(),
        })
    }
}

impl BoundSocket for BoundUnix {
    type Address = UnixName;

    /// The file is gone after the last listener.
    const REOPENS: bool = false;

    fn address(&self) -> &UnixName {
        &self.name
    }
}

/// A listening Unix socket.
pub(crate) struct UnixAcceptor {
    /// Dropped before the listener: a file that is there always has a listener.
    pub(super) file: Option<Arc<SocketFile>>,
    listener: UnixListener,
    /// The operator's listener that this is a descriptor of.
    inherited: Option<InheritedListener>,
    /// The options that the guest has set on it, for its connections.
    options: Option<Arc<AcceptedOptions>>,
}

impl UnixAcceptor {
    pub(super) fn new(
        state: State<Unix>,
        backlog: i32,
        options: Option<Arc<AcceptedOptions>>,
    ) -> io::Result<UnixAcceptor> {
        let (fd, file, inherited) = match state {
            State::Unused(UnusedUnix::Bound(BoundUnix { file, fd, .. })) => {
                rustix::net::listen(&fd, backlog)?;
                (fd, file, None)
            }
            State::Inherited(fd, inherited) => {
                resume(&fd, backlog)?;
                (fd, None, Some(inherited))
            }
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(UnixAcceptor {
            file,
            listener: UnixListener::from_std(fd.into())?,
            inherited,
            options,
        })
    }
}

impl Acceptor for UnixAcceptor {
    type Bound = BoundUnix;
    type Accepted = UnixStream;
    type Socket = UnixSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let accepted = self.listener.poll_accept(cx);
        accepted.map_ok(|(stream, _)| stream)
    }

    fn socket(
        &self,
        accepted: Result<UnixStream, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> UnixSocket {
        if let (Some(options), Ok(stream)) = (&self.options, &accepted) {
            options.apply(stream, None);
        }
        UnixSocket::accepted(accepted, permit, stop)
    }

    fn peer(_: &UnixStream) -> Option<SocketAddr> {
        None
    }

    /// Unix sockets have no reset: the peer sees no more than the close.
    fn turn_away(_: &UnixStream) {}

    fn close(&self) {
        if self.inherited.is_none() {
            // The file first, so that a file that is there always has a listener.
            if let Some(file) = &self.file {
                file.remove();
            }
            refuse(self);
        }
    }

    fn inherited(&self) -> Option<&InheritedListener> {
        self.inherited.as_ref()
    }
}

impl AsFd for UnixAcceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

//! Unix sockets that carry a byte stream.

mod connect;
mod listen;
mod path;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

pub(crate) use self::connect::Connecting;
pub(crate) use self::listen::{BoundUnix, UnixAcceptor};
use self::path::open;
pub(crate) use self::path::{UnixAddress, UnixSocketError};
use super::shared::Sharing;
use super::stop::StopHandle;
use super::stream::{ConnectedSocket, Kind, Listener, State, StreamSocket, TableSocket, code};
use crate::access::{BindUnix, Charge, Connect, Granted, InheritedListener, SocketPermit};
use crate::policy::UnixName;

/// A Unix socket in the guest's table.
pub(crate) type UnixSocket = TableSocket<Unix>;

/// The part of a socket that only Unix sockets have.
pub(crate) struct Unix {
    /// The socket's file is removed when the socket is closed.
    unlink: bool,
}

/// A Unix socket that neither connects nor listens yet.
pub(crate) enum UnusedUnix {
    New(OwnedFd),
    Bound(BoundUnix),
}

impl Kind for Unix {
    type Unused = UnusedUnix;
    type Acceptor = UnixAcceptor;
}

impl AsFd for UnusedUnix {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::New(fd) => fd.as_fd(),
            Self::Bound(bound) => bound.fd.as_fd(),
        }
    }
}

impl UnixSocket {
    /// Makes a socket that is not bound.
    pub(crate) fn create(permit: SocketPermit) -> Result<UnixSocket, ErrorCode> {
        let socket = open().map_err(|errno| match errno {
            // The machine lacks Unix sockets; the guest's arguments are fine.
            Errno::AFNOSUPPORT => ErrorCode::NotSupported,
            errno => code(errno.into()),
        })?;
        let state = State::Unused(UnusedUnix::New(socket));
        Ok(UnixSocket::unix(state, Arc::new(permit)))
    }

    /// Makes two sockets that are connected to each other. The memory that the kernel may
    /// keep for them is charged by `charge`.
    pub(crate) fn pair(
        permits: [SocketPermit; 2],
        stop: &StopHandle,
        charge: impl FnOnce(usize) -> Option<Charge>,
    ) -> Result<(UnixSocket, UnixSocket), ErrorCode> {
        let (one, other) = UnixStream::pair().map_err(code)?;
        let mut bytes = 0_usize;
        for end in [&one, &other] {
            // Of what is sent, the kernel counts all against the sender's buffer: unix(7).
            let size = sockopt::socket_send_buffer_size(end);
            bytes = bytes.saturating_add(size.map_err(|errno| code(errno.into()))?);
        }
        let charge = Arc::new(charge(bytes).ok_or(ErrorCode::OutOfMemory)?);
        let [first, second] = permits;
        first.pairs(Arc::clone(&charge));
        second.pairs(charge);
        Ok((
            UnixSocket::accepted(Ok(one), first, stop),
            UnixSocket::accepted(Ok(other), second, stop),
        ))
    }

    /// A connection that is made already, or the reason why there is none.
    fn accepted(
        accepted: Result<UnixStream, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> UnixSocket {
        let permit = Arc::new(permit);
        let state = match accepted {
            Ok(stream) => {
                let socket = StreamSocket::new(stream, Arc::clone(&permit));
                State::Connected(ConnectedSocket::new(socket, stop))
            }
            Err(code) => State::Failed(code),
        };
        UnixSocket::unix(state, permit)
    }

    /// A socket that the operator has bound, and keeps. It is never shut down, its file
    /// stays, and connections that the guest has not accepted wait for the next
    /// listener.
    pub(crate) fn inherited(
        listener: net::UnixListener,
        granted: &Granted<InheritedListener>,
        permit: SocketPermit,
    ) -> UnixSocket {
        let state = State::Inherited(listener.into(), granted.get().clone());
        UnixSocket::of_operator(Unix { unlink: true }, state, Arc::new(permit))
    }

    fn unix(state: State<Unix>, permit: Arc<SocketPermit>) -> UnixSocket {
        UnixSocket::new(Unix { unlink: true }, state, permit)
    }

    /// Fails unless the socket is new.
    pub(crate) fn check_new(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::Unused(UnusedUnix::New(_)) => Ok(()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Binds the socket; its file gets the granted mode. With `sharing`, it may become
    /// a descriptor of the socket that another guest has bound to the same name.
    pub(crate) fn bind(
        &mut self,
        granted: &Granted<BindUnix>,
        sharing: Option<&Sharing<BoundUnix>>,
    ) -> Result<(), UnixSocketError> {
        let State::Unused(UnusedUnix::New(fd)) = &self.state else {
            return Err(Errno::INVAL.into());
        };
        let bound = match sharing {
            None => BoundUnix::new(fd, granted)?,
            Some(sharing) => {
                let name = granted.get().name.clone();
                let share = sharing.share(name, || BoundUnix::new(fd, granted))?;
                let bound = share.socket().bound().duplicate()?;
                self.share = Some(share);
                bound
            }
        };
        if let Some(file) = bound.file.as_ref().filter(|_| !self.kind.unlink) {
            file.set_unlink(false);
        }
        self.state = State::Unused(UnusedUnix::Bound(bound));
        Ok(())
    }

    /// Sets whether the socket's file is removed when the socket is closed.
    pub(crate) fn set_unlink(&mut self, unlink: bool) {
        self.kind.unlink = unlink;
        let file = match &self.state {
            State::Unused(UnusedUnix::Bound(bound)) => &bound.file,
            State::Listening(listener) => &listener.acceptor().file,
            _ => return,
        };
        if let Some(file) = file {
            file.set_unlink(unlink);
        }
    }

    /// Gives the descriptor to a call that connects it. Its result goes to
    /// [`finish_connect`](Self::finish_connect), or to [`fail`](Self::fail).
    pub(crate) fn begin_connect(
        &mut self,
        granted: Granted<Connect<UnixName>>,
    ) -> Result<Connecting, ErrorCode> {
        match std::mem::replace(&mut self.state, State::Connecting) {
            State::Unused(UnusedUnix::New(fd)) => Ok(Connecting::new(fd, granted)),
            other => {
                self.state = other;
                Err(ErrorCode::InvalidState)
            }
        }
    }

    /// Takes the descriptor back from a connect that has succeeded.
    pub(crate) fn finish_connect(
        &mut self,
        connected: Connecting,
        stop: &StopHandle,
    ) -> Result<(), ErrorCode> {
        match UnixStream::from_std(connected.into_fd().into()) {
            Ok(stream) => {
                let socket = StreamSocket::new(stream, self.permit());
                self.state = State::Connected(ConnectedSocket::new(socket, stop));
                Ok(())
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    /// Fails unless the socket can listen: it has to be bound.
    pub(crate) fn check_listen(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::Unused(UnusedUnix::Bound(_)) | State::Inherited(..) => Ok(()),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Listens. Also returns the name to report, if the socket has one. The proof that
    /// the guest may listen is that of the bind: one rule covers both.
    pub(crate) fn listen(
        &mut self,
    ) -> Result<(Arc<Listener<UnixAcceptor>>, Option<UnixName>), ErrorCode> {
        self.check_listen()?;
        let name = match &self.state {
            State::Unused(UnusedUnix::Bound(bound)) => Some(bound.name.clone()),
            // A listener that the operator has bound may have any name.
            _ => self.local_address().ok().and_then(|at| at.name().ok()),
        };
        let options = self.accepted.clone();
        let listener =
            self.listen_by(|state, backlog| UnixAcceptor::new(state, backlog, options))?;
        Ok((listener, name))
    }

    pub(crate) fn local_address(&self) -> Result<UnixAddress, ErrorCode> {
        match &self.state {
            State::Unused(UnusedUnix::New(_)) => Err(ErrorCode::InvalidState),
            _ => self.local(),
        }
    }

    pub(crate) fn remote_address(&self) -> Result<UnixAddress, ErrorCode> {
        self.connected()?.socket().peer()
    }

    /// Returns the credentials of the peer. The ends of a pair have none: the kernel would
    /// name the host's process, which is no peer of the guest.
    pub(crate) fn peer_credentials(&self) -> Result<UCred, ErrorCode> {
        let socket = self.connected()?.socket();
        match socket.unix().filter(|_| !socket.permit().is_of_pair()) {
            Some(stream) => stream.peer_cred().map_err(code),
            None => Err(ErrorCode::NotSupported),
        }
    }
}

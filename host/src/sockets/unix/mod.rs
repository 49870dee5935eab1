//! Unix sockets that carry a stream of bytes.

mod acceptor;
mod address;
mod bound;
mod connect;
mod entry;
mod error;
mod file;
#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getpeername, getsockname};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use wasmtime::component::Resource;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use self::acceptor::UnixAcceptor;
pub(crate) use self::address::UnixAddress;
pub(crate) use self::bound::BoundUnix;
pub(crate) use self::connect::connect;
pub(crate) use self::error::UnixSocketError;
use self::file::SocketFile;
use super::shared_listeners::{Share, Sharing};
use super::stream::{ConnectedSocket, DEFAULT_BACKLOG, Lease, StreamSocket, code};
use crate::access::{self, InheritedListener, SocketPermit};
use crate::policy::UnixName;
use crate::{StopHandle, StreamsCtxView};

/// Listens until it is closed or dropped.
pub(crate) type Listener = super::stream::Listener<UnixAcceptor>;

/// A socket in the guest's table.
#[expect(unreachable_pub, reason = "the bindings export it again")]
pub struct UnixSocket {
    state: State,
    /// Bound to a name that others may have as well.
    share: Option<Share<BoundUnix>>,
    /// Whether its file is to be removed.
    unlink: bool,
    backlog: i32,
    permit: Arc<SocketPermit>,
}

enum State {
    New(OwnedFd),
    Bound(BoundUnix),
    /// Bound by the host, who keeps it.
    Inherited(OwnedFd, InheritedListener),
    /// The call that connects has the socket.
    Connecting,
    Connected(ConnectedSocket),
    Listening(Arc<Listener>),
    /// Connecting or accepting came to this.
    Failed(ErrorCode),
}

/// Takes the socket out of the table: the guest has given its handle away.
pub(crate) fn take(
    view: &mut StreamsCtxView<'_>,
    handle: Resource<UnixSocket>,
) -> wasmtime::Result<UnixSocket> {
    Ok(view.table.delete(handle)?)
}

impl UnixSocket {
    /// A new socket.
    pub(crate) fn create(permit: SocketPermit) -> Result<UnixSocket, ErrorCode> {
        let socket = open().map_err(|errno| match errno {
            // No argument of the guest's is to blame: the machine lacks them.
            Errno::AFNOSUPPORT => ErrorCode::NotSupported,
            errno => code(errno.into()),
        })?;
        Ok(UnixSocket::new(State::New(socket), permit))
    }

    /// Two that are connected to each other.
    pub(crate) fn pair(
        permits: [SocketPermit; 2],
        stop: &StopHandle,
    ) -> Result<(UnixSocket, UnixSocket), ErrorCode> {
        let (one, other) = UnixStream::pair().map_err(code)?;
        let [first, second] = permits;
        Ok((
            UnixSocket::accepted(Ok(one), first, stop),
            UnixSocket::accepted(Ok(other), second, stop),
        ))
    }

    /// A connection that is made already, or why there is none.
    fn accepted(
        accepted: Result<UnixStream, ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> UnixSocket {
        let mut socket = UnixSocket::new(State::Connecting, permit);
        socket.state = match accepted {
            Ok(stream) => socket.connected_by(stream, stop),
            Err(code) => State::Failed(code),
        };
        socket
    }

    /// One that the host has bound, and keeps: it is never shut down, and what the
    /// guest has not accepted waits for whoever listens next. Its file stays.
    pub(crate) fn inherited(
        listener: net::UnixListener,
        whole: InheritedListener,
        permit: SocketPermit,
    ) -> UnixSocket {
        UnixSocket::new(State::Inherited(listener.into(), whole), permit)
    }

    fn new(state: State, permit: SocketPermit) -> UnixSocket {
        UnixSocket {
            state,
            share: None,
            unlink: true,
            backlog: DEFAULT_BACKLOG.cast_signed(),
            permit: Arc::new(permit),
        }
    }

    /// Whether it is new.
    pub(crate) fn check_new(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::New(_) => Ok(()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Binds, with this mode for the file; with `sharing`, to the socket of another
    /// guest that was bound so, if there is one.
    pub(crate) fn bind(
        &mut self,
        name: &UnixName,
        mode: u32,
        sharing: Option<&Sharing>,
    ) -> Result<(), UnixSocketError> {
        let State::New(fd) = &self.state else {
            return Err(Errno::INVAL.into());
        };
        let bound = match sharing {
            None => BoundUnix::new(fd, name, mode)?,
            Some(sharing) => {
                let share = sharing.share(name.clone(), || BoundUnix::new(fd, name, mode))?;
                let bound = share.socket().bound().duplicate()?;
                self.share = Some(share);
                bound
            }
        };
        if let Some(file) = bound.file.as_ref().filter(|_| !self.unlink) {
            file.set_unlink(false);
        }
        self.state = State::Bound(bound);
        Ok(())
    }

    /// Whether its file is removed when it is closed.
    pub(crate) fn set_unlink(&mut self, unlink: bool) {
        self.unlink = unlink;
        let file = match &self.state {
            State::Bound(bound) => &bound.file,
            State::Listening(listener) => &listener.acceptor().file,
            _ => return,
        };
        if let Some(file) = file {
            file.set_unlink(unlink);
        }
    }

    /// Gives the socket to a call that connects it; what that comes to goes to
    /// [`finish_connect`](Self::finish_connect).
    pub(crate) fn begin_connect(&mut self) -> Result<OwnedFd, ErrorCode> {
        match std::mem::replace(&mut self.state, State::Connecting) {
            State::New(fd) => Ok(fd),
            other => {
                self.state = other;
                Err(ErrorCode::InvalidState)
            }
        }
    }

    /// The connection is made.
    pub(crate) fn finish_connect(
        &mut self,
        socket: OwnedFd,
        stop: &StopHandle,
    ) -> Result<(), ErrorCode> {
        match UnixStream::from_std(socket.into()) {
            Ok(stream) => {
                self.state = self.connected_by(stream, stop);
                Ok(())
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    fn connected_by(&self, stream: UnixStream, stop: &StopHandle) -> State {
        let connection = StreamSocket::new(stream, Arc::clone(&self.permit));
        State::Connected(ConnectedSocket::new(connection, stop))
    }

    /// Closes it: only to be dropped is left to it.
    pub(crate) fn fail(&mut self, code: ErrorCode) -> ErrorCode {
        self.state = State::Failed(code.clone());
        code
    }

    /// Whether it can listen: bound, and nothing more.
    pub(crate) fn check_listen(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::Bound(_) | State::Inherited(..) => Ok(()),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Listens; also under which name, to be told.
    pub(crate) fn listen(&mut self) -> Result<(Arc<Listener>, Option<UnixName>), ErrorCode> {
        self.check_listen()?;
        let state = std::mem::replace(&mut self.state, State::Failed(ErrorCode::InvalidState));
        let (fd, file, name, inherited) = match state {
            State::Bound(bound) => (bound.fd, bound.file, Some(bound.name), None),
            State::Inherited(fd, whole) => {
                let name = address(getsockname(&fd)).ok();
                let name = name.and_then(|address| address.name().ok());
                (fd, None, name, Some(whole))
            }
            _ => return Err(ErrorCode::InvalidState),
        };
        let listen = || {
            // How many may wait at the host's is the host's to say.
            if inherited.is_none() || !access::listens(&fd)? {
                rustix::net::listen(&fd, self.backlog)?;
            }
            Ok(UnixAcceptor {
                file,
                listener: UnixListener::from_std(fd.into())?,
                inherited,
            })
        };
        match Listener::open(self.share.as_ref(), listen) {
            Ok(listener) => {
                let listener = Arc::new(listener);
                self.state = State::Listening(Arc::clone(&listener));
                self.permit.listens();
                Ok((listener, name))
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    /// What its receiving half works on, once.
    pub(crate) fn receive(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected_mut()?.receive()
    }

    /// What its sending half works on, once.
    pub(crate) fn send(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected_mut()?.send()
    }

    /// Sends what the system has room for.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> Result<usize, ErrorCode> {
        self.connected()?.send_now(bytes)
    }

    /// Receives what has come; none where nothing has, and nothing at the end.
    pub(crate) fn receive_now(&self, length: u64) -> Result<Option<Vec<u8>>, ErrorCode> {
        self.connected()?.receive_now(length)
    }

    /// For a stream that keeps the socket.
    pub(crate) fn permit(&self) -> Arc<SocketPermit> {
        Arc::clone(&self.permit)
    }

    /// Its connection, without the socket.
    pub(crate) fn into_connected(self) -> Result<ConnectedSocket, ErrorCode> {
        match self.state {
            State::Connected(connected) => Ok(connected),
            State::Failed(code) => Err(code),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Closes one that listens, whoever has its stream.
    pub(crate) fn close(self) {
        if let State::Listening(listener) = &self.state {
            super::stream::Listens::close(&**listener);
        }
    }

    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    pub(crate) fn local_address(&self) -> Result<UnixAddress, ErrorCode> {
        address(match &self.state {
            State::Bound(bound) => getsockname(&bound.fd),
            State::Inherited(fd, _) => getsockname(fd),
            State::Connected(connected) => getsockname(connected.connection()),
            State::Listening(listener) => getsockname(&**listener),
            State::Failed(code) => return Err(code.clone()),
            State::New(_) | State::Connecting => return Err(ErrorCode::InvalidState),
        })
    }

    pub(crate) fn remote_address(&self) -> Result<UnixAddress, ErrorCode> {
        let peer = getpeername(self.connected()?.connection());
        address(peer.and_then(|peer| peer.ok_or(Errno::NOTCONN)))
    }

    pub(crate) fn peer_credentials(&self) -> Result<UCred, ErrorCode> {
        match self.connected()?.connection().unix() {
            Some(stream) => stream.peer_cred().map_err(code),
            None => Err(ErrorCode::NotSupported),
        }
    }

    pub(crate) fn set_backlog(&mut self, backlog: u64) -> Result<(), ErrorCode> {
        if backlog == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match &self.state {
            State::New(_) | State::Bound(_) | State::Inherited(..) => {}
            State::Listening(listener) if listener.acceptor().inherited.is_some() => {}
            State::Listening(listener) => {
                rustix::net::listen(&**listener, backlog).map_err(|_| ErrorCode::NotSupported)?;
            }
            State::Failed(code) => return Err(code.clone()),
            State::Connecting | State::Connected(_) => return Err(ErrorCode::InvalidState),
        }
        self.backlog = backlog;
        Ok(())
    }

    fn connected(&self) -> Result<&ConnectedSocket, ErrorCode> {
        match &self.state {
            State::Connected(connected) => Ok(connected),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    fn connected_mut(&mut self) -> Result<&mut ConnectedSocket, ErrorCode> {
        match &mut self.state {
            State::Connected(connected) => Ok(connected),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }
}

/// A socket of the system.
#[cfg(target_os = "linux")]
fn open() -> Result<OwnedFd, Errno> {
    use rustix::net::{SocketFlags, socket_with};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// A socket of the system.
#[cfg(not(target_os = "linux"))]
fn open() -> Result<OwnedFd, Errno> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// One of those that this kind of socket has.
fn address(
    answer: rustix::io::Result<rustix::net::SocketAddrAny>,
) -> Result<UnixAddress, ErrorCode> {
    let address = answer.and_then(UnixAddress::try_from);
    address.map_err(|errno| code(errno.into()))
}

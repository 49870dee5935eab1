//! A socket in the guest's table, from its creation to its end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{SocketAddrAny, getpeername, getsockname};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::accepted_options::AcceptedOptions;
use super::connected::{ConnectedSocket, Lease};
use super::error::code;
use super::listener::{Acceptor, Listener};
use super::options::Options;
use super::socket::StreamSocket;
use crate::access::{self, ConnectionSlot, InheritedListener, SocketPermit};
use crate::sockets::shared::Share;
use crate::sockets::stop::StopListening as _;

/// How many connections may wait at a listener, unless the guest says another number.
const DEFAULT_BACKLOG: i32 = 128;

/// A kind of socket: TCP or Unix.
pub(crate) trait Kind: Send + 'static {
    /// A socket that neither connects nor listens yet.
    type Unused: Send + AsFd;
    type Acceptor: Acceptor;
}

/// A socket in the guest's table.
pub(crate) struct TableSocket<K: Kind> {
    pub(in crate::sockets) kind: K,
    pub(in crate::sockets) state: State<K>,
    /// Held while the socket is bound to an address that other guests may join.
    pub(in crate::sockets) share: Option<Share<<K::Acceptor as Acceptor>::Bound>>,
    pub(in crate::sockets) backlog: i32,
    /// The options of accepted connections, if the socket is a listener of the operator.
    pub(in crate::sockets) accepted: Option<Arc<AcceptedOptions>>,
    permit: Arc<SocketPermit>,
}

/// The use that a socket has been put to.
pub(crate) enum State<K: Kind> {
    /// None yet: it may be bound. Connecting and listening lead out.
    Unused(K::Unused),
    /// Bound by the operator, who keeps a descriptor. Listening leads out.
    Inherited(OwnedFd, InheritedListener),
    /// A call that connects has taken the descriptor. Its end leads out.
    Connecting,
    /// Connected, by the guest or by being accepted. A reset leads out.
    Connected(ConnectedSocket),
    /// Listens until it is dropped.
    Listening(Arc<Listener<K::Acceptor>>),
    /// Connecting, listening or accepting failed, or the guest has reset it.
    Failed(ErrorCode),
}

impl<K: Kind> TableSocket<K> {
    pub(in crate::sockets) fn new(kind: K, state: State<K>, permit: Arc<SocketPermit>) -> Self {
        Self {
            kind,
            state,
            share: None,
            backlog: DEFAULT_BACKLOG,
            accepted: None,
            permit,
        }
    }

    /// A listener of the operator, whose options stay as they are.
    pub(in crate::sockets) fn of_operator(
        kind: K,
        state: State<K>,
        permit: Arc<SocketPermit>,
    ) -> Self {
        Self {
            accepted: Some(Arc::default()),
            ..Self::new(kind, state, permit)
        }
    }

    /// The permit, for streams that outlive the guest's handle.
    pub(crate) fn permit(&self) -> Arc<SocketPermit> {
        Arc::clone(&self.permit)
    }

    /// Has the socket count for the quotas of its guest, if it has any.
    pub(crate) fn occupies(&self, slot: Option<ConnectionSlot>) {
        if let Some(slot) = slot {
            self.permit.occupies(slot);
        }
    }

    /// Marks the socket as failed: the guest can only drop it.
    pub(crate) fn fail(&mut self, code: ErrorCode) -> ErrorCode {
        self.state = State::Failed(code.clone());
        code
    }

    /// Lends the socket to a stream that receives; only once.
    pub(crate) fn receive(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected_mut()?.receive()
    }

    /// Lends the socket to a stream that sends; only once.
    pub(crate) fn send(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected_mut()?.send()
    }

    pub(crate) fn connected(&self) -> Result<&ConnectedSocket, ErrorCode> {
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

    /// The connected socket, without the guest's handle.
    pub(crate) fn into_connected(self) -> Result<ConnectedSocket, ErrorCode> {
        match self.state {
            State::Connected(connected) => Ok(connected),
            State::Failed(code) => Err(code),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// The operator has bound the socket, so that no rule has to allow listening.
    pub(crate) fn is_inherited(&self) -> bool {
        matches!(self.state, State::Inherited(..))
    }

    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    /// Closes a socket that listens, even while its stream of connections lives on.
    pub(crate) fn stop_listening(&self) {
        if let State::Listening(listener) = &self.state {
            listener.close();
        }
    }

    /// Listens by `listen`, which makes the acceptor of the state there was.
    pub(in crate::sockets) fn listen_by(
        &mut self,
        listen: impl FnOnce(State<K>, i32) -> io::Result<K::Acceptor>,
    ) -> Result<Arc<Listener<K::Acceptor>>, ErrorCode> {
        let state = std::mem::replace(&mut self.state, State::Failed(ErrorCode::InvalidState));
        let backlog = self.backlog;
        match Listener::open(self.share.as_ref(), || listen(state, backlog)) {
            Ok(listener) => {
                let listener = Arc::new(listener);
                self.state = State::Listening(Arc::clone(&listener));
                self.permit.listens();
                Ok(listener)
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    pub(crate) fn set_backlog(&mut self, backlog: u64) -> Result<(), ErrorCode> {
        if backlog == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match &self.state {
            State::Unused(_) | State::Inherited(..) => {}
            // The operator sets the backlog of its own listener.
            State::Listening(listener) if listener.acceptor().inherited().is_some() => {}
            State::Listening(listener) => {
                rustix::net::listen(&**listener, backlog).map_err(|_| ErrorCode::NotSupported)?;
            }
            State::Failed(code) => return Err(code.clone()),
            State::Connecting | State::Connected(_) => return Err(ErrorCode::InvalidState),
        }
        self.backlog = backlog;
        Ok(())
    }

    /// The descriptor, while this socket has it.
    pub(in crate::sockets) fn fd(&self) -> Result<BorrowedFd<'_>, ErrorCode> {
        match &self.state {
            State::Unused(socket) => Ok(socket.as_fd()),
            State::Inherited(fd, _) => Ok(fd.as_fd()),
            State::Connected(connected) => Ok(connected.socket().as_fd()),
            State::Listening(listener) => Ok(listener.as_fd()),
            State::Connecting => Err(ErrorCode::InvalidState),
            State::Failed(code) => Err(code.clone()),
        }
    }

    /// The options of the kernel's socket, while this socket has it.
    pub(crate) fn options(&self) -> Result<Options<'_>, ErrorCode> {
        let fd = self.fd()?;
        Ok(Options::new(fd, &self.permit, self.accepted.as_deref()))
    }

    pub(in crate::sockets) fn local<T>(&self) -> Result<T, ErrorCode>
    where
        T: TryFrom<SocketAddrAny, Error = rustix::io::Errno>,
    {
        address(getsockname(self.fd()?))
    }
}

impl StreamSocket {
    pub(in crate::sockets) fn peer<T>(&self) -> Result<T, ErrorCode>
    where
        T: TryFrom<SocketAddrAny, Error = rustix::io::Errno>,
    {
        let peer = getpeername(self);
        address(peer.and_then(|peer| peer.ok_or(rustix::io::Errno::NOTCONN)))
    }
}

/// Starts listening on a descriptor of the operator's listener, which may do so already:
/// its backlog is the operator's then.
pub(in crate::sockets) fn resume(fd: &OwnedFd, backlog: i32) -> io::Result<()> {
    if !access::listens(fd)? {
        rustix::net::listen(fd, backlog)?;
    }
    Ok(())
}

/// An address of the family that this kind of socket has.
pub(in crate::sockets) fn address<T>(
    answer: rustix::io::Result<SocketAddrAny>,
) -> Result<T, ErrorCode>
where
    T: TryFrom<SocketAddrAny, Error = rustix::io::Errno>,
{
    let address = answer.and_then(T::try_from);
    address.map_err(|errno| code(errno.into()))
}

//! TCP sockets of our own, behind the same WIT as wasmtime-wasi's.

mod acceptor;
mod options;

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, getpeername, getsockname, sockopt};
use tokio::net::TcpStream;
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use self::acceptor::TcpAcceptor;
use super::shared_listeners::{self, Share, Sharing, Sockets};
use super::stream::{ConnectedSocket, DEFAULT_BACKLOG, Lease, StreamSocket, code};
use crate::StopHandle;
use crate::access::{self, InheritedListener, SocketPermit};

/// Listens until it is closed or dropped.
pub(crate) type Listener = super::stream::Listener<TcpAcceptor>;

/// A socket in the guest's table.
pub(crate) struct TcpSocket {
    state: State,
    family: IpAddressFamily,
    backlog: u32,
    /// Bound to an address that others may have as well.
    share: Option<Share<BoundTcp>>,
    permit: Arc<SocketPermit>,
    /// Addresses that ended connections hold may be bound.
    reuse_address: bool,
    /// Other sockets may be bound to the same port.
    reuse_port: bool,
}

/// Who may have an address that is to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortOwner {
    /// This guest has it.
    Ours,
    /// Nobody has it: the system picks its port, or has picked it for this guest.
    Nobodys,
    /// Somebody may have it who shares it.
    Anybodys,
}

/// A socket of the system that is bound.
pub(crate) struct BoundTcp {
    fd: OwnedFd,
    address: SocketAddr,
}

enum State {
    /// Bound, perhaps.
    Unconnected(tokio::net::TcpSocket),
    /// Bound by the host, who keeps it.
    Inherited(net::TcpListener, InheritedListener),
    /// The call that connects has the socket.
    Connecting,
    Connected {
        connected: ConnectedSocket,
        /// Which the system is asked for once at most.
        peer: OnceLock<SocketAddr>,
    },
    Listening(Arc<Listener>),
    /// Connecting or accepting came to this.
    Failed(ErrorCode),
}

impl TcpSocket {
    /// A new socket.
    pub(crate) fn create(
        family: IpAddressFamily,
        permit: SocketPermit,
    ) -> Result<TcpSocket, ErrorCode> {
        Ok(TcpSocket::new(
            State::Unconnected(open(family)?),
            family,
            Arc::new(permit),
        ))
    }

    /// A connection that was accepted, or why there is none.
    pub(crate) fn accepted(
        family: IpAddressFamily,
        accepted: Result<(TcpStream, SocketAddr), ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> TcpSocket {
        let permit = Arc::new(permit);
        let state = match accepted {
            Ok((stream, peer)) => State::Connected {
                connected: ConnectedSocket::new(
                    StreamSocket::new(stream, Arc::clone(&permit)),
                    stop,
                ),
                peer: OnceLock::from(peer),
            },
            Err(code) => State::Failed(code),
        };
        TcpSocket::new(state, family, permit)
    }

    /// One that the host has bound, and keeps: it is never shut down, and what the
    /// guest has not accepted waits for whoever listens next.
    pub(crate) fn inherited(
        listener: net::TcpListener,
        whole: InheritedListener,
        permit: SocketPermit,
    ) -> io::Result<TcpSocket> {
        let family = match listener.local_addr()? {
            SocketAddr::V4(_) => IpAddressFamily::Ipv4,
            SocketAddr::V6(_) => IpAddressFamily::Ipv6,
        };
        let state = State::Inherited(listener, whole);
        Ok(TcpSocket::new(state, family, Arc::new(permit)))
    }

    fn new(state: State, family: IpAddressFamily, permit: Arc<SocketPermit>) -> TcpSocket {
        TcpSocket {
            state,
            family,
            backlog: DEFAULT_BACKLOG,
            share: None,
            permit,
            reuse_address: true,
            reuse_port: false,
        }
    }

    /// Binds, after the checks of arguments; with `sharing`, to the socket of
    /// another guest that was bound so, if there is one.
    pub(crate) fn bind(
        &mut self,
        address: SocketAddr,
        whose: PortOwner,
        sharing: Option<&Sharing>,
    ) -> Result<(), ErrorCode> {
        let Some(sharing) = sharing else {
            return self.bind_own(self.unconnected()?, address, whose);
        };
        let mut ours = false;
        let share = sharing.share(address, || -> Result<_, ErrorCode> {
            let socket = self.unconnected()?;
            self.bind_own(socket, address, whose)?;
            ours = true;
            Ok(BoundTcp {
                fd: socket.as_fd().try_clone_to_owned().map_err(code)?,
                address: socket.local_addr().map_err(code)?,
            })
        })?;
        if !ours {
            let fd = share.socket().bound().fd.try_clone().map_err(code)?;
            let socket = tokio::net::TcpSocket::from_std_stream(net::TcpStream::from(fd));
            self.state = State::Unconnected(socket);
        }
        self.share = Some(share);
        Ok(())
    }

    /// Binds a socket of this guest's own. An address that is nobody's is shared
    /// from then on: before, somebody else's may not be joined.
    fn bind_own(
        &self,
        socket: &tokio::net::TcpSocket,
        address: SocketAddr,
        whose: PortOwner,
    ) -> Result<(), ErrorCode> {
        let alone = whose == PortOwner::Nobodys;
        if self.reuse_port {
            coded(sockopt::set_socket_reuseport(socket, !alone))?;
        }
        socket.set_reuseaddr(self.reuse_address).map_err(code)?;
        socket.bind(address).map_err(code)?;
        if self.reuse_port && alone {
            coded(sockopt::set_socket_reuseport(socket, true))?;
        }
        Ok(())
    }

    /// Whether the address is one to bind to.
    pub(crate) fn check_bind(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unbound()?;
        self.check_unicast(address)
    }

    /// Whether the address is one to connect to.
    pub(crate) fn check_connect(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unconnected()?;
        self.check_unicast(address)?;
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(())
    }

    /// Gives the socket to a call that connects it; what that comes to goes to
    /// [`finish_connect`](Self::finish_connect).
    pub(crate) fn begin_connect(&mut self) -> Result<tokio::net::TcpSocket, ErrorCode> {
        if let Some(share) = self.share.take() {
            return self.leave(share).map_err(|code| self.fail(code));
        }
        self.take(State::Connecting)
    }

    /// A socket of its own at the same address, to connect with, and not with the
    /// one that others listen on.
    fn leave(&mut self, share: Share<BoundTcp>) -> Result<tokio::net::TcpSocket, ErrorCode> {
        let address = share.socket().bound().address;
        let own = open(self.family)?;
        self.state = State::Connecting;
        // What is joined has to be this guest's meanwhile, anything else to be free.
        let joined = self.reuse_port.then_some(share);
        self.bind_own(&own, address, PortOwner::Ours)?;
        drop(joined);
        Ok(own)
    }

    /// The connection is made, or has failed.
    pub(crate) fn finish_connect(
        &mut self,
        connected: io::Result<TcpStream>,
        stop: &StopHandle,
    ) -> Result<(), ErrorCode> {
        match connected.map_err(code) {
            Ok(stream) => {
                self.state = State::Connected {
                    connected: ConnectedSocket::new(StreamSocket::new(stream, self.permit()), stop),
                    peer: OnceLock::new(),
                };
                Ok(())
            }
            Err(code) => Err(self.fail(code)),
        }
    }

    /// Closes it: only to be dropped is left to it.
    pub(crate) fn fail(&mut self, code: ErrorCode) -> ErrorCode {
        self.state = State::Failed(code.clone());
        code
    }

    /// Listens. One that is not bound is on all interfaces.
    pub(crate) fn listen(&mut self, sharing: Option<&Sharing>) -> Result<Arc<Listener>, ErrorCode> {
        // The system would bind it too, but not for its address to be used again.
        if let State::Unconnected(socket) = &self.state
            && !is_bound(socket)
        {
            let bound = self.bind(self.unspecified(), PortOwner::Nobodys, sharing);
            bound.map_err(|code| self.fail(code))?;
        }
        self.check_listen()?;
        let state = std::mem::replace(&mut self.state, State::Failed(ErrorCode::InvalidState));
        let listen = || {
            let (listener, inherited) = match state {
                State::Unconnected(socket) => (socket.listen(self.backlog)?, None),
                State::Inherited(listener, whole) => (resume(listener, self.backlog)?, Some(whole)),
                _ => return Err(Errno::INVAL.into()),
            };
            Ok(TcpAcceptor {
                listener,
                family: self.family,
                inherited,
            })
        };
        match Listener::open(self.share.as_ref(), listen) {
            Ok(listener) => {
                let listener = Arc::new(listener);
                self.state = State::Listening(listener.clone());
                self.permit.listens();
                Ok(listener)
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    /// What its receiving half works on, once.
    pub(crate) fn receive(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected()?.receive()
    }

    /// What its sending half works on, once.
    pub(crate) fn send(&mut self) -> Result<Arc<Lease>, ErrorCode> {
        self.connected()?.send()
    }

    fn connected(&mut self) -> Result<&mut ConnectedSocket, ErrorCode> {
        match &mut self.state {
            State::Connected { connected, .. } => Ok(connected),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// For a stream that keeps the socket.
    pub(crate) fn permit(&self) -> Arc<SocketPermit> {
        self.permit.clone()
    }

    /// Ends the connection at once.
    pub(crate) fn reset(&mut self) -> Result<(), ErrorCode> {
        let State::Connected { connected, .. } = &self.state else {
            return Err(ErrorCode::InvalidState);
        };
        connected.connection().reset()?;
        self.state = State::Failed(ErrorCode::ConnectionAborted);
        Ok(())
    }

    /// Its connection, without the socket.
    pub(crate) fn into_connected(self) -> Result<ConnectedSocket, ErrorCode> {
        match self.state {
            State::Connected { connected, .. } => Ok(connected),
            State::Failed(code) => Err(code),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    pub(crate) fn family(&self) -> IpAddressFamily {
        self.family
    }

    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    pub(crate) fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Unconnected(socket) if is_bound(socket) => socket.local_addr().map_err(code),
            State::Inherited(listener, _) => listener.local_addr().map_err(code),
            State::Connected { connected, .. } => address(getsockname(connected.connection())),
            State::Listening(listener) => address(getsockname(listener)),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    pub(crate) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        let (connected, known) = match &self.state {
            State::Connected { connected, peer } => (connected, peer),
            State::Failed(code) => return Err(code.clone()),
            _ => return Err(ErrorCode::InvalidState),
        };
        if let Some(peer) = known.get() {
            return Ok(*peer);
        }
        let peer = getpeername(connected.connection());
        let peer = address(peer.and_then(|peer| peer.ok_or(Errno::NOTCONN)))?;
        Ok(*known.get_or_init(|| peer))
    }

    /// The address of a listen without a bind.
    pub(crate) fn unspecified(&self) -> SocketAddr {
        match self.family {
            IpAddressFamily::Ipv4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddressFamily::Ipv6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    /// Whether it can listen: neither connected nor listening already.
    pub(crate) fn check_listen(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::Unconnected(_) | State::Inherited(..) => Ok(()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Whether the host has bound it: no rule has to permit it.
    pub(crate) fn is_inherited(&self) -> bool {
        matches!(self.state, State::Inherited(..))
    }

    pub(crate) fn set_backlog(&mut self, backlog: u64) -> Result<(), ErrorCode> {
        if backlog == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match &self.state {
            State::Unconnected(_) | State::Inherited(..) => {}
            // The host's to say.
            State::Listening(listener) if listener.acceptor().inherited.is_some() => {}
            State::Listening(listener) => {
                let again = rustix::net::listen(listener, backlog);
                again.map_err(|_| ErrorCode::NotSupported)?;
            }
            State::Failed(code) => return Err(code.clone()),
            _ => return Err(ErrorCode::InvalidState),
        }
        self.backlog = backlog.unsigned_abs();
        Ok(())
    }

    fn unconnected(&self) -> Result<&tokio::net::TcpSocket, ErrorCode> {
        match &self.state {
            State::Unconnected(socket) => Ok(socket),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    fn unbound(&self) -> Result<&tokio::net::TcpSocket, ErrorCode> {
        let socket = self.unconnected()?;
        match is_bound(socket) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(socket),
        }
    }

    fn check_unicast(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        let fits = match (address.ip(), self.family) {
            (IpAddr::V4(ip), IpAddressFamily::Ipv4) => !ip.is_multicast() && !ip.is_broadcast(),
            (IpAddr::V6(ip), IpAddressFamily::Ipv6) => {
                // Neither mapped nor compatible: those are IPv4 in disguise.
                let compatible =
                    matches!(ip.segments(), [0, 0, 0, 0, 0, 0, a, b] if a != 0 || b > 1);
                !ip.is_multicast() && ip.to_ipv4_mapped().is_none() && !compatible
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(ErrorCode::InvalidArgument)
        }
    }

    /// The socket, if it has no use yet; then the state becomes `next`.
    fn take(&mut self, next: State) -> Result<tokio::net::TcpSocket, ErrorCode> {
        match std::mem::replace(&mut self.state, next) {
            State::Unconnected(socket) => Ok(socket),
            other => {
                self.state = other;
                Err(ErrorCode::InvalidState)
            }
        }
    }
}

impl shared_listeners::BoundSocket for BoundTcp {
    type Address = SocketAddr;

    const REOPENS: bool = true;

    fn address(&self) -> &SocketAddr {
        &self.address
    }

    fn among(registry: &shared_listeners::Registry) -> &Sockets<Self> {
        &registry.tcp
    }
}

/// Listens on the host's. How many may wait there is the host's to say, if it has.
fn resume(listener: net::TcpListener, backlog: u32) -> io::Result<tokio::net::TcpListener> {
    if !access::listens(&listener)? {
        rustix::net::listen(&listener, backlog.cast_signed())?;
    }
    tokio::net::TcpListener::from_std(listener)
}

/// A socket of the system. Small writes are sent at once, also by the connections
/// that it accepts.
fn open(family: IpAddressFamily) -> Result<tokio::net::TcpSocket, ErrorCode> {
    let socket = match family {
        IpAddressFamily::Ipv4 => tokio::net::TcpSocket::new_v4(),
        IpAddressFamily::Ipv6 => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.map_err(|error| match Errno::from_io_error(&error) {
        // No argument of the guest's is to blame: the machine lacks the family.
        Some(Errno::AFNOSUPPORT) => ErrorCode::NotSupported,
        _ => code(error),
    })?;
    if family == IpAddressFamily::Ipv6 {
        coded(sockopt::set_ipv6_v6only(&socket, true))?;
    }
    coded(sockopt::set_tcp_nodelay(&socket, true))?;
    Ok(socket)
}

fn is_bound(socket: &tokio::net::TcpSocket) -> bool {
    let local = socket.local_addr();
    local.is_ok_and(|address| address.port() != 0)
}

/// One of those that this kind of socket has.
fn address(answer: rustix::io::Result<SocketAddrAny>) -> Result<SocketAddr, ErrorCode> {
    coded(answer.and_then(SocketAddr::try_from))
}

/// With the error as WASI has it.
fn coded<T>(result: rustix::io::Result<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| code(error.into()))
}

//! TCP sockets of our own, behind the same WIT as wasmtime-wasi's.

mod listen;
mod options;

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::{Arc, OnceLock};

use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

pub(crate) use self::listen::{BoundTcp, TcpAcceptor};
use super::shared::{Share, Sharing};
use super::stop::StopHandle;
use super::stream::{ConnectedSocket, Kind, Listener, State, StreamSocket, TableSocket, code};
use crate::access::{
    BindTcp, Connect, Granted, InheritedListener, ListenTcp, PortOwner, SocketPermit,
};

/// A TCP socket in the guest's table.
pub(crate) type TcpSocket = TableSocket<Tcp>;

/// The part of a socket that only TCP has.
pub(crate) struct Tcp {
    family: IpAddressFamily,
    /// The peer's address, once it is known; it never changes.
    peer: OnceLock<SocketAddr>,
    /// SO_REUSEADDR: the socket may be bound to an address that ended connections
    /// still hold.
    reuse_address: bool,
    /// SO_REUSEPORT: other sockets may be bound to the same port.
    reuse_port: bool,
}

impl Kind for Tcp {
    type Unused = tokio::net::TcpSocket;
    type Acceptor = TcpAcceptor;
}

/// A connect that the guard has allowed, before it is awaited.
pub(crate) struct Connecting {
    socket: tokio::net::TcpSocket,
    remote: SocketAddr,
}

impl Connecting {
    pub(crate) async fn connect(self) -> io::Result<TcpStream> {
        self.socket.connect(self.remote).await
    }
}

impl Tcp {
    fn new(family: IpAddressFamily) -> Self {
        Self {
            family,
            peer: OnceLock::new(),
            reuse_address: true,
            reuse_port: false,
        }
    }
}

impl TcpSocket {
    /// Makes a socket that is not bound.
    pub(crate) fn create(
        family: IpAddressFamily,
        permit: SocketPermit,
    ) -> Result<TcpSocket, ErrorCode> {
        let state = State::Unused(open(family)?);
        Ok(TcpSocket::new(Tcp::new(family), state, Arc::new(permit)))
    }

    /// A connection that was accepted, or the reason why there is none.
    pub(super) fn accepted(
        family: IpAddressFamily,
        accepted: Result<(TcpStream, SocketAddr), ErrorCode>,
        permit: SocketPermit,
        stop: &StopHandle,
    ) -> TcpSocket {
        let permit = Arc::new(permit);
        let mut kind = Tcp::new(family);
        let state = match accepted {
            Ok((stream, peer)) => {
                kind.peer = OnceLock::from(peer);
                let socket = StreamSocket::new(stream, Arc::clone(&permit));
                State::Connected(ConnectedSocket::new(socket, stop))
            }
            Err(code) => State::Failed(code),
        };
        TcpSocket::new(kind, state, permit)
    }

    /// A socket that the operator has bound, and keeps. It is never shut down, and
    /// connections that the guest has not accepted wait for the next listener.
    pub(crate) fn inherited(
        listener: net::TcpListener,
        granted: &Granted<InheritedListener>,
        permit: SocketPermit,
    ) -> io::Result<TcpSocket> {
        let family = match listener.local_addr()? {
            SocketAddr::V4(_) => IpAddressFamily::Ipv4,
            SocketAddr::V6(_) => IpAddressFamily::Ipv6,
        };
        let state = State::Inherited(listener.into(), granted.get().clone());
        let permit = Arc::new(permit);
        Ok(TcpSocket::of_operator(Tcp::new(family), state, permit))
    }

    /// Fails unless the socket can be bound to this address.
    pub(crate) fn check_bind(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unbound()?;
        self.check_unicast(address)
    }

    /// Binds the socket. With `sharing`, it may become a descriptor of the socket that
    /// another guest has bound to the same address.
    pub(crate) fn bind(
        &mut self,
        granted: &Granted<BindTcp>,
        sharing: Option<&Sharing<BoundTcp>>,
    ) -> Result<(), ErrorCode> {
        let BindTcp { address, owner, .. } = *granted.get();
        self.bind_shared(address, owner, sharing)
    }

    fn bind_shared(
        &mut self,
        address: SocketAddr,
        owner: PortOwner,
        sharing: Option<&Sharing<BoundTcp>>,
    ) -> Result<(), ErrorCode> {
        let Some(sharing) = sharing else {
            return self.bind_own(self.unused()?, address, owner);
        };
        let mut ours = false;
        let share = sharing.share(address, || -> Result<_, ErrorCode> {
            let socket = self.unused()?;
            self.bind_own(socket, address, owner)?;
            ours = true;
            Ok(BoundTcp {
                fd: socket.as_fd().try_clone_to_owned().map_err(code)?,
                address: socket.local_addr().map_err(code)?,
            })
        })?;
        if !ours {
            let fd = share.socket().bound().fd.try_clone().map_err(code)?;
            let socket = tokio::net::TcpSocket::from_std_stream(net::TcpStream::from(fd));
            self.state = State::Unused(socket);
        }
        self.share = Some(share);
        Ok(())
    }

    /// Binds a descriptor of this guest alone.
    ///
    /// When the kernel picks the port, SO_REUSEPORT is set only after bind, so that we
    /// cannot join another process's port.
    fn bind_own(
        &self,
        socket: &tokio::net::TcpSocket,
        address: SocketAddr,
        owner: PortOwner,
    ) -> Result<(), ErrorCode> {
        let picked = owner == PortOwner::Kernel;
        if self.kind.reuse_port {
            coded(sockopt::set_socket_reuseport(socket, !picked))?;
        }
        socket
            .set_reuseaddr(self.kind.reuse_address)
            .map_err(code)?;
        socket.bind(address).map_err(code)?;
        if self.kind.reuse_port && picked {
            coded(sockopt::set_socket_reuseport(socket, true))?;
        }
        Ok(())
    }

    /// Fails unless the socket can be connected to this address.
    pub(crate) fn check_connect(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unused()?;
        self.check_unicast(address)?;
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(())
    }

    /// Gives the descriptor to a call that connects it. Its result goes to
    /// [`finish_connect`](Self::finish_connect).
    pub(crate) fn begin_connect(
        &mut self,
        granted: &Granted<Connect<SocketAddr>>,
    ) -> Result<Connecting, ErrorCode> {
        let Connect(remote) = *granted.get();
        let socket = match self.share.take() {
            Some(share) => self.leave(share).map_err(|code| self.fail(code))?,
            None => match std::mem::replace(&mut self.state, State::Connecting) {
                State::Unused(socket) => socket,
                other => {
                    self.state = other;
                    return Err(ErrorCode::InvalidState);
                }
            },
        };
        Ok(Connecting { socket, remote })
    }

    /// Makes a descriptor of this guest alone at the shared address. Connecting with
    /// the shared one would take it away from the guests that listen.
    fn leave(&mut self, share: Share<BoundTcp>) -> Result<tokio::net::TcpSocket, ErrorCode> {
        let address = share.socket().bound().address;
        let own = open(self.kind.family)?;
        self.state = State::Connecting;
        // With SO_REUSEPORT the new socket joins the shared one, which has to stay open
        // meanwhile, so that no other process's port is joined. Without it the address
        // has to be free first.
        let joined = self.kind.reuse_port.then_some(share);
        self.bind_own(&own, address, PortOwner::ThisGuest)?;
        drop(joined);
        Ok(own)
    }

    /// Takes the result of a connect.
    pub(crate) fn finish_connect(
        &mut self,
        connected: io::Result<TcpStream>,
        stop: &StopHandle,
    ) -> Result<(), ErrorCode> {
        match connected.map_err(code) {
            Ok(stream) => {
                let socket = StreamSocket::new(stream, self.permit());
                self.state = State::Connected(ConnectedSocket::new(socket, stop));
                Ok(())
            }
            Err(code) => Err(self.fail(code)),
        }
    }

    /// Fails unless the socket can listen.
    pub(crate) fn check_listen(&self) -> Result<(), ErrorCode> {
        match &self.state {
            State::Unused(_) | State::Inherited(..) => Ok(()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Listens. A socket that is not bound is bound to the granted address first.
    pub(crate) fn listen(
        &mut self,
        granted: &Granted<ListenTcp>,
        sharing: Option<&Sharing<BoundTcp>>,
    ) -> Result<Arc<Listener<TcpAcceptor>>, ErrorCode> {
        // listen(2) would bind the socket too, but without SO_REUSEADDR.
        if let State::Unused(socket) = &self.state
            && !is_bound(socket)
        {
            let ListenTcp(address) = *granted.get();
            let bound = self.bind_shared(address, PortOwner::Kernel, sharing);
            bound.map_err(|code| self.fail(code))?;
        }
        self.start_listening()
    }

    /// Listens on the operator's socket, for which no rule is asked.
    pub(crate) fn listen_inherited(&mut self) -> Result<Arc<Listener<TcpAcceptor>>, ErrorCode> {
        match self.is_inherited() {
            true => self.start_listening(),
            false => Err(ErrorCode::InvalidState),
        }
    }

    fn start_listening(&mut self) -> Result<Arc<Listener<TcpAcceptor>>, ErrorCode> {
        self.check_listen()?;
        let family = self.kind.family;
        let options = self.accepted.clone();
        self.listen_by(|state, backlog| TcpAcceptor::new(state, family, backlog, options))
    }

    /// Resets the connection at once.
    pub(crate) fn reset(&mut self) -> Result<(), ErrorCode> {
        let State::Connected(connected) = &self.state else {
            return Err(ErrorCode::InvalidState);
        };
        connected.socket().reset()?;
        self.state = State::Failed(ErrorCode::ConnectionAborted);
        Ok(())
    }

    pub(crate) fn family(&self) -> IpAddressFamily {
        self.kind.family
    }

    pub(crate) fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Unused(socket) if !is_bound(socket) => Err(ErrorCode::InvalidState),
            _ => self.local(),
        }
    }

    pub(crate) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        let connected = self.connected()?;
        if let Some(peer) = self.kind.peer.get() {
            return Ok(*peer);
        }
        let peer = connected.socket().peer()?;
        Ok(*self.kind.peer.get_or_init(|| peer))
    }

    /// The address that a listen without a bind is on.
    pub(crate) fn unspecified(&self) -> SocketAddr {
        match self.kind.family {
            IpAddressFamily::Ipv4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddressFamily::Ipv6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    fn unused(&self) -> Result<&tokio::net::TcpSocket, ErrorCode> {
        match &self.state {
            State::Unused(socket) => Ok(socket),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    fn unbound(&self) -> Result<&tokio::net::TcpSocket, ErrorCode> {
        let socket = self.unused()?;
        match is_bound(socket) {
            true => Err(ErrorCode::InvalidState),
            false => Ok(socket),
        }
    }

    fn check_unicast(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        let fits = match (address.ip(), self.kind.family) {
            (IpAddr::V4(ip), IpAddressFamily::Ipv4) => !ip.is_multicast() && !ip.is_broadcast(),
            (IpAddr::V6(ip), IpAddressFamily::Ipv6) => {
                // Mapped and compatible addresses are IPv4 in disguise, which an IPv6
                // socket of WASI does not speak.
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
}

/// Opens a socket of the kernel. Connections that it accepts inherit TCP_NODELAY.
fn open(family: IpAddressFamily) -> Result<tokio::net::TcpSocket, ErrorCode> {
    let socket = match family {
        IpAddressFamily::Ipv4 => tokio::net::TcpSocket::new_v4(),
        IpAddressFamily::Ipv6 => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.map_err(|error| match Errno::from_io_error(&error) {
        // The machine lacks the family; the guest's arguments are fine.
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

/// The result with WASI's code for its error.
fn coded<T>(result: rustix::io::Result<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| code(error.into()))
}

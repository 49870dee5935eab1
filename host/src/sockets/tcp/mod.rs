//! TCP sockets of our own, behind the same WIT as wasmtime-wasi's.

mod connection;
mod convert;
mod host;
mod streams;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi::p3::bindings::sockets::types::{ErrorCode, IpAddressFamily};

use self::connection::Connection;
use self::convert::code;
pub(crate) use self::host::get;
use crate::place::Place;

/// How many connections may wait at a listener, unless told otherwise.
const DEFAULT_BACKLOG: u32 = 128;
/// What the system accepts as a time between probes of an idle connection.
const PROBES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(i16::MAX as u64);
/// How many probes the system sends at the most.
const MOST_PROBES: u32 = i8::MAX as u32;

/// A socket in the guest's table.
pub(crate) struct TcpSocket {
    state: State,
    family: IpAddressFamily,
    backlog: u32,
    place: Arc<Place>,
    /// Addresses that ended connections hold may be bound.
    reuse_address: bool,
    /// Other sockets may be bound to the same port.
    reuse_port: bool,
}

/// Who may have an address that is to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This guest has it.
    Ours,
    /// Nobody has it: the system picks its port, or has picked it for this guest.
    Nobodys,
    /// Somebody may have it who shares it.
    Anybodys,
}

/// The connection that a half works on, and its place.
type Half = (Arc<Connection>, Arc<Place>);

enum State {
    /// Bound, perhaps.
    Unconnected(tokio::net::TcpSocket),
    /// The call that connects has the socket.
    Connecting,
    Connected {
        stream: Arc<Connection>,
        /// `receive` was called.
        receiving: bool,
        /// `send` was called.
        sending: bool,
    },
    Listening(Arc<TcpListener>),
    /// Connecting or accepting came to this.
    Failed(ErrorCode),
}

impl TcpSocket {
    /// A new socket. Small writes are sent at once, also by the connections
    /// that a listener takes.
    pub(super) fn create(family: IpAddressFamily, place: Place) -> Result<TcpSocket, ErrorCode> {
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
        Ok(TcpSocket::new(State::Unconnected(socket), family, place))
    }

    /// A connection that was accepted, or why there is none.
    pub(super) fn accepted(
        family: IpAddressFamily,
        stream: Result<TcpStream, ErrorCode>,
        place: Place,
    ) -> TcpSocket {
        let state = match stream {
            Ok(stream) => State::connected(stream),
            Err(code) => State::Failed(code),
        };
        TcpSocket::new(state, family, place)
    }

    fn new(state: State, family: IpAddressFamily, place: Place) -> TcpSocket {
        TcpSocket {
            state,
            family,
            backlog: DEFAULT_BACKLOG,
            place: Arc::new(place),
            reuse_address: true,
            reuse_port: false,
        }
    }

    /// Binds, after the checks of arguments. An address that is nobody's is shared
    /// from then on: before, somebody else's may not be joined.
    pub(super) fn bind(&self, address: SocketAddr, whose: Whose) -> Result<(), ErrorCode> {
        let socket = self.unconnected()?;
        if !self.reuse_port || whose != Whose::Nobodys {
            return bind(socket, address, self.reuse_address).map_err(code);
        }
        coded(sockopt::set_socket_reuseport(socket, false))?;
        let bound = bind(socket, address, self.reuse_address).map_err(code);
        coded(sockopt::set_socket_reuseport(socket, true))?;
        bound
    }

    /// Whether the address is one to bind to.
    pub(super) fn check_bind(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unbound()?;
        self.check_unicast(address)
    }

    /// Whether the address is one to connect to.
    pub(super) fn check_connect(&self, address: SocketAddr) -> Result<(), ErrorCode> {
        self.unconnected()?;
        self.check_unicast(address)?;
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(())
    }

    /// Gives the socket to a call that connects it; what that comes to goes to
    /// [`finish_connect`](Self::finish_connect).
    pub(super) fn begin_connect(&mut self) -> Result<tokio::net::TcpSocket, ErrorCode> {
        self.take(State::Connecting)
    }

    /// The connection is made, or has failed.
    pub(super) fn finish_connect(
        &mut self,
        connected: std::io::Result<TcpStream>,
    ) -> Result<(), ErrorCode> {
        match connected.map_err(code) {
            Ok(stream) => {
                self.state = State::connected(stream);
                Ok(())
            }
            Err(code) => Err(self.fail(code)),
        }
    }

    /// Closes it: only to be dropped is left to it.
    pub(super) fn fail(&mut self, code: ErrorCode) -> ErrorCode {
        self.state = State::Failed(code.clone());
        code
    }

    /// Listens. One that is not bound is on all interfaces.
    pub(super) fn listen(&mut self) -> Result<Arc<TcpListener>, ErrorCode> {
        let unspecified = self.unspecified();
        let socket = self.take(State::Failed(ErrorCode::InvalidState))?;
        // The system would bind it too, but not for its address to be used again.
        let bound = match is_bound(&socket) {
            true => Ok(()),
            false => bind(&socket, unspecified, self.reuse_address),
        };
        match bound.and_then(|()| socket.listen(self.backlog)) {
            Ok(listener) => {
                let listener = Arc::new(listener);
                self.state = State::Listening(listener.clone());
                self.place.listens();
                Ok(listener)
            }
            Err(error) => Err(self.fail(code(error))),
        }
    }

    /// What its receiving half works on, once.
    fn receive(&mut self) -> Result<Half, ErrorCode> {
        match &mut self.state {
            State::Connected {
                stream, receiving, ..
            } if !*receiving => {
                *receiving = true;
                Ok((stream.clone(), self.place.clone()))
            }
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// What its sending half works on, once.
    fn send(&mut self) -> Result<Half, ErrorCode> {
        match &mut self.state {
            State::Connected {
                stream, sending, ..
            } if !*sending => {
                *sending = true;
                Ok((stream.clone(), self.place.clone()))
            }
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// For a stream that keeps the socket.
    pub(super) fn place(&self) -> Arc<Place> {
        self.place.clone()
    }

    /// Ends the connection at once.
    pub(crate) fn reset(&mut self) -> Result<(), ErrorCode> {
        let State::Connected { stream, .. } = &self.state else {
            return Err(ErrorCode::InvalidState);
        };
        stream.reset()?;
        self.state = State::Failed(ErrorCode::ConnectionAborted);
        Ok(())
    }

    pub(super) fn family(&self) -> IpAddressFamily {
        self.family
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    pub(super) fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        let address = match &self.state {
            State::Unconnected(socket) if is_bound(socket) => socket.local_addr(),
            State::Connected { stream, .. } => stream.local_addr(),
            State::Listening(listener) => listener.local_addr(),
            State::Failed(code) => return Err(code.clone()),
            _ => return Err(ErrorCode::InvalidState),
        };
        address.map_err(code)
    }

    pub(super) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Connected { stream, .. } => stream.peer_addr().map_err(code),
            State::Failed(code) => Err(code.clone()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// The address of a listen without a bind.
    pub(super) fn unspecified(&self) -> SocketAddr {
        match self.family {
            IpAddressFamily::Ipv4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddressFamily::Ipv6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    /// Whether it can listen: neither connected nor listening already.
    pub(super) fn check_listen(&self) -> Result<(), ErrorCode> {
        self.unconnected().map(drop)
    }

    pub(super) fn set_backlog(&mut self, backlog: u64) -> Result<(), ErrorCode> {
        if backlog == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match &self.state {
            State::Unconnected(_) => {}
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

impl State {
    fn connected(stream: TcpStream) -> State {
        State::Connected {
            stream: Arc::new(Connection::new(stream)),
            receiving: false,
            sending: false,
        }
    }
}

/// Options.
impl TcpSocket {
    fn fd(&self) -> Result<BorrowedFd<'_>, ErrorCode> {
        match &self.state {
            State::Unconnected(socket) => Ok(socket.as_fd()),
            State::Connected { stream, .. } => Ok(stream.as_fd()),
            State::Listening(listener) => Ok(listener.as_fd()),
            State::Connecting => Err(ErrorCode::InvalidState),
            State::Failed(code) => Err(code.clone()),
        }
    }

    fn option<'a, T>(
        &'a self,
        access: impl FnOnce(BorrowedFd<'a>) -> rustix::io::Result<T>,
    ) -> Result<T, ErrorCode> {
        coded(access(self.fd()?))
    }

    pub(crate) fn set_reuse_address(&mut self, reuse: bool) -> Result<(), ErrorCode> {
        self.unbound()?;
        self.reuse_address = reuse;
        Ok(())
    }

    pub(super) fn reuses_port(&self) -> bool {
        self.reuse_port
    }

    pub(crate) fn set_reuse_port(&mut self, reuse: bool) -> Result<(), ErrorCode> {
        let set = sockopt::set_socket_reuseport(self.unbound()?, reuse);
        set.map_err(|_| ErrorCode::NotSupported)?;
        self.reuse_port = reuse;
        Ok(())
    }

    pub(crate) fn set_no_delay(&self, no_delay: bool) -> Result<(), ErrorCode> {
        self.option(|fd| sockopt::set_tcp_nodelay(fd, no_delay))
    }

    pub(super) fn keep_alive(&self) -> Result<bool, ErrorCode> {
        self.option(sockopt::socket_keepalive)
    }

    pub(super) fn set_keep_alive(&self, on: bool) -> Result<(), ErrorCode> {
        self.option(|fd| sockopt::set_socket_keepalive(fd, on))
    }

    pub(super) fn keep_alive_idle_time(&self) -> Result<Duration, ErrorCode> {
        self.option(sockopt::tcp_keepidle)
    }

    pub(super) fn set_keep_alive_idle_time(&self, time: Duration) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.option(|fd| sockopt::set_tcp_keepidle(fd, time))
    }

    pub(super) fn keep_alive_interval(&self) -> Result<Duration, ErrorCode> {
        self.option(sockopt::tcp_keepintvl)
    }

    pub(super) fn set_keep_alive_interval(&self, time: Duration) -> Result<(), ErrorCode> {
        let time = probe(time)?;
        self.option(|fd| sockopt::set_tcp_keepintvl(fd, time))
    }

    pub(super) fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        self.option(sockopt::tcp_keepcnt)
    }

    pub(super) fn set_keep_alive_count(&self, count: u32) -> Result<(), ErrorCode> {
        match count {
            0 => Err(ErrorCode::InvalidArgument),
            _ => self.option(|fd| sockopt::set_tcp_keepcnt(fd, count.min(MOST_PROBES))),
        }
    }

    pub(super) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        let limit = match self.family {
            IpAddressFamily::Ipv4 => self.option(sockopt::ip_ttl)?,
            IpAddressFamily::Ipv6 => return self.option(sockopt::ipv6_unicast_hops),
        };
        u8::try_from(limit).map_err(|_| ErrorCode::NotSupported)
    }

    pub(super) fn set_hop_limit(&self, limit: u8) -> Result<(), ErrorCode> {
        match (limit, self.family) {
            (0, _) => Err(ErrorCode::InvalidArgument),
            (_, IpAddressFamily::Ipv4) => self.option(|fd| sockopt::set_ip_ttl(fd, limit.into())),
            (_, IpAddressFamily::Ipv6) => {
                self.option(|fd| sockopt::set_ipv6_unicast_hops(fd, Some(limit)))
            }
        }
    }

    pub(super) fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        Ok(halved(self.option(sockopt::socket_recv_buffer_size)?))
    }

    pub(super) fn set_receive_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|fd| sockopt::set_socket_recv_buffer_size(fd, size))
    }

    pub(super) fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        Ok(halved(self.option(sockopt::socket_send_buffer_size)?))
    }

    pub(super) fn set_send_buffer_size(&self, size: u64) -> Result<(), ErrorCode> {
        let size = buffer_size(size)?;
        self.option(|fd| sockopt::set_socket_send_buffer_size(fd, size))
    }
}

/// `reuse`: also while connections that have ended hold the address.
fn bind(socket: &tokio::net::TcpSocket, address: SocketAddr, reuse: bool) -> std::io::Result<()> {
    socket.set_reuseaddr(reuse)?;
    socket.bind(address)
}

fn is_bound(socket: &tokio::net::TcpSocket) -> bool {
    let local = socket.local_addr();
    local.is_ok_and(|address| address.port() != 0)
}

/// With the error as WASI has it.
fn coded<T>(result: rustix::io::Result<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| code(error.into()))
}

fn probe(time: Duration) -> Result<Duration, ErrorCode> {
    if time.is_zero() {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(time.clamp(*PROBES.start(), *PROBES.end()))
}

/// Linux counts its own bookkeeping as well, and doubles what was asked for.
fn halved(size: usize) -> u64 {
    let divisor = if cfg!(target_os = "linux") { 2 } else { 1 };
    (size / divisor) as u64
}

fn buffer_size(size: u64) -> Result<usize, ErrorCode> {
    match size {
        0 => Err(ErrorCode::InvalidArgument),
        _ => Ok(usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(i32::MAX as usize / 2)),
    }
}

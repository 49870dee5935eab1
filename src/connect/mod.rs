//! Connecting to hosts and ports, and adopting connected sockets.

mod unix;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use wasi::sockets::types::TcpSocket;

pub use self::unix::open_unix_connection;
use crate::address::Family;
use crate::connection::open::PendingConnection;
use crate::error::{Attempt, ConnectError};
use crate::hosts::Host;
use crate::limit::limit;
use crate::lookup::{self, LookupFlags};
use crate::port::Port;
use crate::runtime::time::timeout;
use crate::socket::host_socket::HostSocket;
use crate::socket::tcp::{self, Connected};
use crate::ssl::{Plan, SslContext, Tls};
use crate::{Socket, StreamReader, StreamWriter};

/// The settings of a connection that have a default.
///
/// ```no_run
/// # async fn example() -> Result<(), asyncio_streams::ConnectError> {
/// use asyncio_streams::ConnectOptions;
/// use std::time::Duration;
///
/// let (reader, writer) = ConnectOptions::new()
///     .limit(1024)
///     .timeout(Duration::from_secs(5))
///     .open_connection("example.com", 80)
///     .await?;
/// # drop((reader, writer)); Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing until a connection is opened with them"]
pub struct ConnectOptions {
    pub(crate) limit: Option<u64>,
    pub(crate) family: Option<Family>,
    pub(crate) proto: u32,
    pub(crate) flags: LookupFlags,
    pub(crate) local_addr: Option<(Host, Port)>,
    pub(crate) happy_eyeballs_delay: Option<Duration>,
    pub(crate) interleave: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) keep_alive: bool,
    pub(crate) tls: Tls,
}

/// Connects to `host` and `port`: asyncio's `open_connection`.
///
/// Without a host it connects to this machine (loopback, IPv6 first). A name is looked up,
/// and its addresses are tried one after the other until one answers. An empty name cannot be
/// looked up. The address of all interfaces (`0.0.0.0`, `::`) is that of loopback.
///
/// # Errors
/// [`ConnectError::Failed`] with each address and its error, [`ConnectError::Lookup`] for a
/// name that cannot be looked up, [`ConnectError::Tls`] when the connection was made and its
/// handshake failed, [`ConnectError::InvalidArgument`] before anything was tried.
///
/// # Cancel safety
/// Dropping the future closes every socket that was opened for it.
pub async fn open_connection(
    host: impl Into<Host>,
    port: impl Into<Port>,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    ConnectOptions::new().open_connection(host, port).await
}

/// Looks up the addresses that [`open_connection`] tries, in the resolver's order: asyncio's
/// `loop.getaddrinfo`.
///
/// # Errors
/// [`ConnectError::Lookup`] for a name that cannot be looked up or that the policy does not
/// permit, and for an unknown service.
pub async fn getaddrinfo(
    host: impl Into<Host>,
    port: impl Into<Port>,
) -> Result<Vec<SocketAddr>, ConnectError> {
    ConnectOptions::new().getaddrinfo(host, port).await
}

impl ConnectOptions {
    /// Returns the defaults.
    pub fn new() -> ConnectOptions {
        ConnectOptions::default()
    }

    /// Sets the reader's limit in bytes; 64 KiB unless set. 0 is refused.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit as u64);
        self
    }

    /// Connects to addresses of this family only.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Sets the protocol's number: 0 (any) or 6 (TCP); others are refused.
    pub fn proto(mut self, proto: u32) -> Self {
        self.proto = proto;
        self
    }

    /// Restricts the lookup of the host.
    pub fn flags(mut self, flags: LookupFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Binds to this address before connecting. Without a host any interface is taken, with
    /// port 0 any free port. The policy has to permit listening there.
    pub fn local_addr(mut self, host: impl Into<Host>, port: impl Into<Port>) -> Self {
        self.local_addr = Some((host.into(), port.into()));
        self
    }

    /// Tries the next address when the one before has not answered in this time (happy
    /// eyeballs, RFC 8305; 250 ms is usual). Unless set, addresses are tried strictly one after
    /// the other.
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> Self {
        self.happy_eyeballs_delay = Some(delay);
        self
    }

    /// Sets the number of addresses of the first family that are tried before the families
    /// alternate; 0 keeps the order of the lookup. Unless set, 1 with a happy eyeballs delay
    /// and 0 without.
    pub fn interleave(mut self, count: usize) -> Self {
        self.interleave = Some(count);
        self
    }

    /// Limits the time of the whole operation, lookup and TLS handshake included. No limit
    /// unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Probes the connection while it is idle (SO_KEEPALIVE); false unless set.
    /// [`StreamWriter::socket_options`] has the times of the probes.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Speaks TLS with these settings; [`SslContext::client`] is asyncio's `ssl=True`.
    ///
    /// A linked program that calls this imports `asyncio:host/tls`, which the
    /// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
    #[inline]
    pub fn ssl(mut self, context: SslContext) -> Self {
        self.tls.set_context(context);
        self
    }

    /// Sets the name or address that the peer's certificate has to be for; the host unless
    /// set. An empty name is not checked, which the policy has to permit. Refused without TLS.
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.tls.server_hostname = Some(name.into());
        self
    }

    /// Limits the time of the TLS handshake; 60 s unless set. 0, and a limit without TLS, are
    /// refused.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.tls.handshake_timeout = Some(timeout);
        self
    }

    /// Limits the time that the end of the TLS session takes; 30 s unless set. 0, and a limit
    /// without TLS, are refused.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.tls.shutdown_timeout = Some(timeout);
        self
    }

    /// Connects with these options; see [`open_connection`].
    ///
    /// # Errors
    /// As for [`open_connection`]; [`ConnectError::Timeout`] when the time limit passed.
    pub async fn open_connection(
        &self,
        host: impl Into<Host>,
        port: impl Into<Port>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let (host, port) = (host.into(), port.into());
        self.within(self.connect(host.name(), port)).await
    }

    /// Looks up the addresses that [`ConnectOptions::open_connection`] tries; see
    /// [`getaddrinfo`]. With the flag `passive` they are those to listen on, so that no host
    /// means all interfaces.
    ///
    /// # Errors
    /// As for [`getaddrinfo`]; [`ConnectError::InvalidArgument`] if an option is set that is
    /// for connections, and [`ConnectError::Timeout`] when the time limit passed.
    pub async fn getaddrinfo(
        &self,
        host: impl Into<Host>,
        port: impl Into<Port>,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = (host.into(), port.into());
        self.check_for_look_up()?;
        let looking = async {
            let port = port.number(self.flags.numeric_service)?;
            self.resolve(host.name(), port, self.flags.passive).await
        };
        self.within(looking).await
    }

    /// Returns the reader and the writer of a connected socket: asyncio's `sock`.
    ///
    /// # Errors
    /// [`ConnectError::InvalidArgument`] if the socket is not connected, or if an option is
    /// set that concerns how a connection is made. With TLS [`ConnectError::Tls`] when the
    /// handshake failed, and [`ConnectError::Timeout`].
    pub async fn adopt(
        &self,
        socket: impl Into<Socket>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let Socket(socket) = socket.into();
        let (limit, wanted) = self.check_without_host("to adopt a socket")?;
        if socket.check_connected().is_err() {
            return Err(ConnectError::InvalidArgument(
                "the socket is not connected".into(),
            ));
        }
        let pending = self.within(self.connected(socket, wanted)).await?;
        let (reader, writer, _) = pending.open(limit, || {});
        Ok((reader, writer))
    }

    async fn connect(
        &self,
        host: Option<&str>,
        port: Port,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let (limit, wanted) = self.check(host)?;
        let numeric = self.flags.numeric_service;
        let port = port.number(numeric)?;
        let remote = self.resolve(host, port, false).await?;
        let local = match &self.local_addr {
            Some((host, port)) => {
                let port = port.number(numeric)?;
                Some(self.resolve(host.name(), port, true).await?)
            }
            None => None,
        };
        let interleave = self
            .interleave
            .unwrap_or(usize::from(self.happy_eyeballs_delay.is_some()));
        let attempts = attempts(interleaved(remote, interleave), local.as_deref());
        let socket = race(attempts, self.happy_eyeballs_delay).await?;
        let pending = self.connected(Box::new(socket), wanted).await?;
        let (reader, writer, _) = pending.open(limit, || {});
        Ok((reader, writer))
    }

    /// Prepares a connected socket, and begins TLS if there is a plan for it.
    async fn connected(
        &self,
        socket: Box<dyn HostSocket>,
        plan: Option<Plan>,
    ) -> Result<PendingConnection, ConnectError> {
        if self.keep_alive {
            socket.keep_alive();
        }
        PendingConnection::connected(socket, plan).await
    }

    /// Runs `connecting` within the time limit of the whole operation, if there is one.
    pub(crate) async fn within<T>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        match self.timeout {
            Some(limit) => timeout(limit, connecting)
                .await
                .map_err(|_| ConnectError::Timeout)?,
            None => connecting.await,
        }
    }

    /// Checks the options for a connection without a host and a port, and refuses those that
    /// need them. `to` says what the connection is to do.
    pub(crate) fn check_without_host(
        &self,
        to: &str,
    ) -> Result<(usize, Option<Plan>), ConnectError> {
        let set = self.family.is_some()
            || self.proto != 0
            || self.flags != LookupFlags::default()
            || self.local_addr.is_some()
            || self.happy_eyeballs_delay.is_some()
            || self.interleave.is_some();
        if set {
            return Err(ConnectError::InvalidArgument(format!(
                "family, proto, flags, local address and happy eyeballs are for hosts and \
                 ports; leave them out {to}"
            )));
        }
        self.check(None)
    }

    /// Checks the options of a look-up, and refuses those that are for connections.
    fn check_for_look_up(&self) -> Result<(), ConnectError> {
        let set = self.limit.is_some()
            || self.local_addr.is_some()
            || self.happy_eyeballs_delay.is_some()
            || self.interleave.is_some()
            || self.keep_alive
            || self.tls.client(None)?.is_some();
        if set {
            return Err(ConnectError::InvalidArgument(
                "limit, local address, happy eyeballs, keep-alive and TLS are for connections; \
                 leave them out to look up"
                    .into(),
            ));
        }
        self.check_proto()
    }

    fn check_proto(&self) -> Result<(), ConnectError> {
        match self.proto {
            0 | 6 => Ok(()),
            other => Err(ConnectError::InvalidArgument(format!(
                "protocol {other} is neither 0 nor 6 (TCP)"
            ))),
        }
    }

    /// Checks the options before anything is tried. Returns the reader's limit, and the plan
    /// for TLS.
    fn check(&self, host: Option<&str>) -> Result<(usize, Option<Plan>), ConnectError> {
        let limit = limit(self.limit).map_err(ConnectError::InvalidArgument)?;
        let wanted = self.tls.client(host)?;
        if let Some(wanted) = &wanted {
            let checked = (wanted.provider.check)(&wanted.context);
            checked?;
        }
        self.check_proto()?;
        if self.flags.passive {
            return Err(ConnectError::InvalidArgument(
                "the flag passive is for servers; leave it out to connect".into(),
            ));
        }
        Ok((limit, wanted))
    }

    async fn resolve(
        &self,
        host: Option<&str>,
        port: u16,
        passive: bool,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        match host {
            None => Ok(lookup::no_host(port, self.family, passive)),
            Some(host) => {
                let numeric = self.flags.numeric_host;
                Ok(lookup::addresses(host, port, self.family, numeric).await?)
            }
        }
    }
}

/// An address to try, and the local address to bind first.
type Candidate = (SocketAddr, Option<SocketAddr>);

/// Pairs each remote address with the first local one of its family. If there is none, the
/// attempt with a local address of another family fails and says so.
fn attempts(remote: Vec<SocketAddr>, local: Option<&[SocketAddr]>) -> VecDeque<Candidate> {
    let local_for = |remote: &SocketAddr| {
        let local = local?;
        let family = Family::of(remote);
        let fits = local.iter().find(|local| Family::of(local) == family);
        fits.or(local.first()).copied()
    };
    let remote = remote.into_iter().map(reachable);
    remote.map(|remote| (remote, local_for(&remote))).collect()
}

/// Returns loopback for the address of all interfaces (`0.0.0.0`, `::`), which a server may
/// have told as its own. Kernels connect to loopback then; WASI refuses the address. The
/// policy judges the loopback address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Orders the addresses so that the families alternate, after `first` addresses of the first
/// one (RFC 8305, section 4). 0 keeps the order.
fn interleaved(addresses: Vec<SocketAddr>, first: usize) -> Vec<SocketAddr> {
    let Some(family) = addresses.first().map(Family::of) else {
        return addresses;
    };
    if first == 0 {
        return addresses;
    }
    let (mut preferred, mut others): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| Family::of(address) == family);
    let mut ordered: Vec<SocketAddr> = Vec::new();
    ordered.extend(preferred.drain(..(first - 1).min(preferred.len())));
    while !preferred.is_empty() || !others.is_empty() {
        ordered.extend(preferred.pop_front());
        ordered.extend(others.pop_front());
    }
    ordered
}

/// Tries the candidates in order until one answers.
///
/// The next one starts when the one before has failed, or with `delay` when that has passed.
/// Dropping the future drops every attempt, which closes its socket.
async fn race(
    mut candidates: VecDeque<Candidate>,
    delay: Option<Duration>,
) -> Result<TcpSocket, ConnectError> {
    let mut running: FuturesUnordered<LocalBoxFuture<'_, (usize, Candidate, Connected)>> =
        FuturesUnordered::new();
    let mut failed: Vec<(usize, Attempt)> = Vec::new();
    let mut started = 0;
    loop {
        if let Some(candidate) = candidates.pop_front() {
            let number = started;
            started += 1;
            running.push(Box::pin(async move {
                let (remote, local) = candidate;
                (number, candidate, tcp::connect(remote, local).await)
            }));
        }
        let next = match delay {
            Some(delay) if !candidates.is_empty() => match timeout(delay, running.next()).await {
                Ok(next) => next,
                Err(_) => continue,
            },
            _ => running.next().await,
        };
        match next {
            Some((_, _, Ok(socket))) => return Ok(socket),
            Some((number, (remote, local), Err(code))) => failed.push((
                number,
                Attempt {
                    address: remote.into(),
                    local_address: local.map(Into::into),
                    code,
                },
            )),
            None => {
                failed.sort_by_key(|(number, _)| *number);
                let attempts = failed.into_iter().map(|(_, attempt)| attempt).collect();
                return Err(ConnectError::Failed(attempts));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn interleaving_alternates_the_families_after_the_first_ones() {
        let found = list(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(
            interleaved(found.clone(), 1),
            list(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"])
        );
        assert_eq!(
            interleaved(found.clone(), 2),
            list(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1", "2.2.2.2:1"])
        );
        assert_eq!(interleaved(found.clone(), 0), found);
        assert_eq!(interleaved(found.clone(), 9)[..3], found[..3]);
    }

    #[test]
    fn oc11_each_address_is_tried_from_a_local_one_of_its_family_if_there_is_one() {
        let remote = list(&["[::1]:1", "1.1.1.1:1"]);
        let local = list(&["127.0.0.1:0"]);
        let from: Vec<_> = remote
            .iter()
            .map(|remote| (*remote, Some(local[0])))
            .collect();
        assert_eq!(attempts(remote.clone(), Some(&local)), from);
        let both = list(&["127.0.0.1:0", "[::1]:0"]);
        let from = [(remote[0], Some(both[1])), (remote[1], Some(both[0]))];
        assert_eq!(attempts(remote, Some(&both)), from);
    }

    #[test]
    fn the_address_of_all_interfaces_is_loopback_to_connect_to() {
        let remote = list(&["0.0.0.0:1", "[::]:2", "[::1]:3", "10.0.0.1:4"]);
        let tried: Vec<_> = attempts(remote, None)
            .into_iter()
            .map(|one| one.0)
            .collect();
        assert_eq!(
            tried,
            list(&["127.0.0.1:1", "[::1]:2", "[::1]:3", "10.0.0.1:4"])
        );
    }
}

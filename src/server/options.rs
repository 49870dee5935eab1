//! The options of a server, and how a bound server is made of them.

use std::rc::Rc;
use std::time::Duration;

use super::Server;
use super::bind::{Wanted, bind_all};
use super::callback::CallbackResult;
use super::failure::{Observer, ServerFailure};
use super::reuse::Reuse;
use super::state::ServerState;
use super::times::Times;
use crate::address::Family;
use crate::error::ListenError;
use crate::hosts::{Host, Hosts};
use crate::limit::limit;
use crate::lookup::{self, LookupFlags};
use crate::port::Port;
use crate::ssl::{Plan, SslContext, Tls};
use crate::{Socket, StreamReader, StreamWriter};

const DEFAULT_BACKLOG: u32 = 100;

/// The settings of a server that have a default.
#[derive(Debug, Clone)]
#[must_use = "options do nothing until a server is started with them"]
pub struct ServerOptions {
    pub(crate) limit: Option<u64>,
    pub(crate) family: Option<Family>,
    pub(crate) flags: LookupFlags,
    pub(crate) backlog: u32,
    pub(crate) reuse: Reuse,
    pub(crate) keep_alive: bool,
    pub(crate) cleanup_socket: bool,
    pub(crate) start_serving: bool,
    pub(crate) tls: Tls,
    /// The most TLS handshakes at a time.
    pub(crate) max_handshakes: Option<u32>,
    pub(crate) times: Times,
    pub(super) observer: Observer,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            limit: None,
            family: None,
            flags: LookupFlags {
                passive: true,
                ..LookupFlags::default()
            },
            backlog: DEFAULT_BACKLOG,
            reuse: Reuse::default(),
            keep_alive: false,
            cleanup_socket: true,
            start_serving: true,
            tls: Tls::default(),
            max_handshakes: None,
            times: Times::default(),
            observer: Observer::default(),
        }
    }
}

impl ServerOptions {
    /// Returns the defaults.
    pub fn new() -> ServerOptions {
        ServerOptions::default()
    }

    /// Sets the limit of each connection's reader in bytes; 64 KiB unless set. 0 is refused.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit as u64);
        self
    }

    /// Listens on addresses of this family only.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Restricts the lookup of the hosts.
    pub fn flags(mut self, flags: LookupFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Sets the number of connections that may wait in the kernel; 100 unless set.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Allows binding an address that old connections still hold (SO_REUSEADDR); true unless
    /// set.
    ///
    /// With false the program imports `asyncio:host/tcp-options`, which the command
    /// `asyncio-streams run` and the crate `asyncio-streams-host` provide.
    #[inline]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse.set_address(reuse);
        self
    }

    /// Shares the port with other servers that set this (SO_REUSEPORT), in this program or in
    /// others of the same user; false unless set. The kernel spreads connections over all of
    /// them.
    ///
    /// With true the program imports `asyncio:host/tcp-options`, as
    /// [`reuse_address`](Self::reuse_address) says. A port that another process may hold needs
    /// a rule of the policy that names this very port.
    #[inline]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse.set_port(reuse);
        self
    }

    /// Probes idle TCP connections (SO_KEEPALIVE); false unless set.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Removes a Unix socket's file when the server closes, if it is still the file that the
    /// server has made; true unless set.
    pub fn cleanup_socket(mut self, cleanup: bool) -> Self {
        self.cleanup_socket = cleanup;
        self
    }

    /// Speaks TLS with these settings.
    ///
    /// Handshakes run beside accepting. A handshake that fails is reported to
    /// [`on_failure`](Self::on_failure).
    ///
    /// A linked program that calls this imports `asyncio:host/tls`, which the
    /// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
    #[inline]
    pub fn ssl(mut self, context: SslContext) -> Self {
        self.tls.set_context(context);
        self
    }

    /// Limits the time of each TLS handshake; 60 s unless set. 0, and a limit without TLS, are
    /// refused.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.tls.handshake_timeout = Some(timeout);
        self
    }

    /// Limits the time that the end of each TLS session takes; 30 s unless set. 0, and a limit
    /// without TLS, are refused.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.tls.shutdown_timeout = Some(timeout);
        self
    }

    /// Sets the most TLS handshakes that are under way; 10000 unless set. One more replaces
    /// the oldest, which [`on_failure`](Self::on_failure) is told of. 0, and a number without
    /// TLS, are refused.
    ///
    /// A handshake under way holds a socket, and ends when it has taken as long as
    /// [`ssl_handshake_timeout`](Self::ssl_handshake_timeout).
    pub fn max_ssl_handshakes(mut self, count: u32) -> Self {
        self.max_handshakes = Some(count);
        self
    }

    /// Limits the time in which a connection neither receives nor sends a byte; no limit unless
    /// set. 0 is refused.
    ///
    /// Then the connection is lost: reads and writes of it fail with
    /// [`ErrorCode::Timeout`](crate::ErrorCode::Timeout). Bytes that the program leaves unread
    /// count when the library receives them. The time of a TLS handshake has a
    /// [limit of its own](Self::ssl_handshake_timeout).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.times.idle = Some(timeout);
        self
    }

    /// Limits the time from the start of a connection to its end, however busy it is; no limit
    /// unless set. 0 is refused. Then the connection is lost as after
    /// [`idle_timeout`](Self::idle_timeout).
    ///
    /// It ends a peer that sends a byte from time to time, which is never idle.
    pub fn connection_timeout(mut self, timeout: Duration) -> Self {
        self.times.total = Some(timeout);
        self
    }

    /// Accepts from the start; true unless set. If false, the addresses are bound and refuse
    /// connections until [`Server::start_serving`].
    pub fn start_serving(mut self, start_serving: bool) -> Self {
        self.start_serving = start_serving;
        self
    }

    /// Calls `observer` for each failure that no caller waits for, such as a callback's.
    /// Unless set, failures go to standard error, with ten lines a second at most.
    pub fn on_failure(mut self, observer: impl Fn(&ServerFailure) + 'static) -> Self {
        self.observer = Observer(Some(Rc::new(observer)));
        self
    }

    /// Starts a server with these options; see [`start_server`](crate::start_server).
    ///
    /// # Errors
    /// As for [`start_server`](crate::start_server).
    pub async fn start_server<C, R, Kind>(
        &self,
        client_connected: C,
        hosts: impl Into<Hosts>,
        port: impl Into<Port>,
    ) -> Result<Server, ListenError>
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let server = self.bind(hosts.into(), port.into()).await?;
        Ok(server.calling(client_connected))
    }

    /// Starts a server on a bound socket: asyncio's `sock`.
    ///
    /// # Errors
    /// [`ListenError::InvalidArgument`] if the socket is not bound or listens already, or if
    /// an option is set that concerns finding or binding an address.
    pub fn adopt<C, R, Kind>(
        &self,
        client_connected: C,
        socket: impl Into<Socket>,
    ) -> Result<Server, ListenError>
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        Ok(self.adopted(socket.into())?.calling(client_connected))
    }

    /// Binds, and listens unless `start_serving` is false. Connections wait for
    /// `Server::accept`.
    pub(crate) async fn bind(&self, hosts: Hosts, port: Port) -> Result<Server, ListenError> {
        let (limit, tls) = self.check()?;
        let port = port.number(self.flags.numeric_service)?;
        let hosts = hosts.checked().map_err(ListenError::InvalidArgument)?;
        let wanted = self.resolve(&hosts, port).await?;
        let bound = bind_all(&wanted, self.reuse)?;
        let server = Server {
            state: Rc::new(ServerState::new(self, limit, tls, bound)),
        };
        if self.start_serving {
            server.listen()?;
        }
        Ok(server)
    }

    /// Makes a server of a bound socket. Connections wait for `Server::accept`.
    pub(crate) fn adopted(&self, socket: Socket) -> Result<Server, ListenError> {
        let checked = self.check_without_host("to adopt a socket")?;
        self.serving(checked, socket)
    }

    /// Makes a server of a bound socket, after the options were checked.
    pub(crate) fn serving(
        &self,
        (limit, tls): (usize, Option<Plan>),
        socket: Socket,
    ) -> Result<Server, ListenError> {
        let bound = vec![super::bind::adopt(socket.0)?];
        let server = Server {
            state: Rc::new(ServerState::new(self, limit, tls, bound)),
        };
        if self.start_serving {
            server.listen()?;
        }
        Ok(server)
    }

    /// Checks the options for a server without hosts and a port, and refuses those that need
    /// them. `to` says what the server is to do.
    pub(crate) fn check_without_host(
        &self,
        to: &str,
    ) -> Result<(usize, Option<Plan>), ListenError> {
        let finding = self.family.is_some() || self.flags != ServerOptions::default().flags;
        if finding || !self.reuse.is_default() {
            return Err(ListenError::InvalidArgument(format!(
                "family, flags, reuse-address and reuse-port are for hosts and ports; leave \
                 them out {to}"
            )));
        }
        self.check()
    }

    /// Checks the options before anything is opened. Returns the reader's limit, and the plan
    /// for TLS.
    fn check(&self) -> Result<(usize, Option<Plan>), ListenError> {
        let limit = limit(self.limit).map_err(ListenError::InvalidArgument)?;
        let tls = self.tls.server()?;
        if let Some(wanted) = &tls {
            (wanted.provider.check)(&wanted.context)?;
        }
        let handshakes = match (self.max_handshakes, &tls) {
            (Some(0), _) => Some("max-ssl-handshakes is 0; it has to be more"),
            (Some(_), None) => {
                Some("max-ssl-handshakes needs ssl; leave it out, or set ssl as well")
            }
            _ => None,
        };
        if let Some(why) = handshakes {
            return Err(ListenError::InvalidArgument(why.into()));
        }
        if let Some(why) = self.times.check() {
            return Err(ListenError::InvalidArgument(why.into()));
        }
        self.reuse.check()?;
        Ok((limit, tls))
    }

    async fn resolve(&self, hosts: &[Host], port: u16) -> Result<Vec<Wanted>, ListenError> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for (number, host) in hosts.iter().enumerate() {
            let addresses = match host.to_listen_on() {
                None => lookup::no_host(port, self.family, true),
                Some(name) => {
                    lookup::addresses(name, port, self.family, self.flags.numeric_host).await?
                }
            };
            for address in addresses {
                if !wanted.iter().any(|known| known.address == address) {
                    wanted.push(Wanted {
                        address,
                        host: number,
                    });
                }
            }
        }
        Ok(wanted)
    }
}

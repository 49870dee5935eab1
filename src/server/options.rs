//! The options of a server, and from them to a bound one.

use std::rc::Rc;
use std::time::Duration;

use super::Server;
use super::bind::{Wanted, bind_all};
use super::callback::CallbackResult;
use super::failure::{Observer, ServerFailure};
use super::reuse::Reuse;
use super::state::Shared;
use crate::address::Family;
use crate::error::ListenError;
use crate::hosts::{Host, Hosts};
use crate::limit::limit;
use crate::lookup::{self, LookupFlags};
use crate::port::Port;
use crate::ssl::{Plan, SslContext, Tls};
use crate::{Socket, StreamReader, StreamWriter};

const DEFAULT_BACKLOG: u32 = 100;

/// Everything about a server that has a default.
#[derive(Debug, Clone)]
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
            observer: Observer::default(),
        }
    }
}

impl ServerOptions {
    /// All defaults.
    pub fn new() -> ServerOptions {
        ServerOptions::default()
    }

    /// The limit of each connection's reader in bytes; 64 KiB unless set. 0 is
    /// refused.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit as u64);
        self
    }

    /// Only addresses of this family.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Restrictions on the lookup of the hosts.
    pub fn flags(mut self, flags: LookupFlags) -> Self {
        self.flags = flags;
        self
    }

    /// How many connections may wait in the operating system; 100 unless set.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Whether an address still held by old connections may be bound; true
    /// unless set.
    ///
    /// With false the program imports `asyncio:host`; see
    /// [`tcp_options`](crate::tcp_options).
    #[inline]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse.set_address(reuse);
        self
    }

    /// Whether other servers that ask for it may share the port, in this program
    /// or in others of the same user; false unless set. Connections are spread
    /// over all of them.
    ///
    /// With true the program imports `asyncio:host`; see
    /// [`tcp_options`](crate::tcp_options). A port that somebody else may hold
    /// needs a rule of the host's that names this very port.
    #[inline]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse.set_port(reuse);
        self
    }

    /// Whether idle connections are probed, over TCP; false unless set.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Whether a Unix socket's file is removed when the server closes, if it is still
    /// the one that the server has made; true unless set.
    pub fn cleanup_socket(mut self, cleanup: bool) -> Self {
        self.cleanup_socket = cleanup;
        self
    }

    /// Speak TLS with these settings. Handshakes take place beside the accepting of
    /// others, at most 256 at a time: the oldest is given up for a new one. Those
    /// that fail are told to [`on_failure`](Self::on_failure).
    ///
    /// A linked program that calls this imports `asyncio:host/tls`, which the
    /// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
    #[inline]
    pub fn ssl(mut self, context: SslContext) -> Self {
        self.tls.set_context(context);
        self
    }

    /// The limit of each TLS handshake; 60 s unless set. 0, and a limit without
    /// TLS, are refused.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.tls.handshake_timeout = Some(timeout);
        self
    }

    /// How long the end of each TLS session may take; 30 s unless set. 0, and a
    /// limit without TLS, are refused.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.tls.shutdown_timeout = Some(timeout);
        self
    }

    /// Whether the server accepts from the start; true unless set. If not, its
    /// addresses are bound and refuse connections until
    /// [`Server::start_serving`].
    pub fn start_serving(mut self, start_serving: bool) -> Self {
        self.start_serving = start_serving;
        self
    }

    /// Who is told of what goes wrong in the server and has no caller to be
    /// returned to: a callback that failed, connections that cannot be
    /// accepted. Unless set, standard error is, with ten lines a second at most.
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

    /// As [`start_server`](Self::start_server), on a socket that is already
    /// bound: asyncio's `sock`.
    ///
    /// # Errors
    /// [`ListenError::InvalidArgument`] if it is not bound or listens already,
    /// or if an option is set that concerns how an address is found or bound.
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

    /// Binds, and listens unless told otherwise. Connections wait for
    /// [`Server::accept`].
    pub(crate) async fn bind(&self, hosts: Hosts, port: Port) -> Result<Server, ListenError> {
        let (limit, tls) = self.check()?;
        let port = port.number(self.flags.numeric_service)?;
        let hosts = hosts.checked().map_err(ListenError::InvalidArgument)?;
        let wanted = self.resolve(&hosts, port).await?;
        let bound = bind_all(&wanted, self.reuse)?;
        let server = Server {
            shared: Rc::new(Shared::new(self, limit, tls, bound)),
        };
        if self.start_serving {
            server.listen()?;
        }
        Ok(server)
    }

    /// A server on a socket that is bound already. Connections wait for
    /// [`Server::accept`].
    pub(crate) fn adopted(&self, socket: Socket) -> Result<Server, ListenError> {
        let checked = self.check_without_host("to adopt a socket")?;
        self.serving(checked, socket)
    }

    /// A server on a socket that is bound, after the checks of the options.
    pub(crate) fn serving(
        &self,
        (limit, tls): (usize, Option<Plan>),
        socket: Socket,
    ) -> Result<Server, ListenError> {
        let bound = vec![super::bind::adopt(socket.0)?];
        let server = Server {
            shared: Rc::new(Shared::new(self, limit, tls, bound)),
        };
        if self.start_serving {
            server.listen()?;
        }
        Ok(server)
    }

    /// As [`check`](Self::check), and refuses what means something only with hosts
    /// and a port.
    pub(crate) fn check_without_host(
        &self,
        to: &str,
    ) -> Result<(usize, Option<Plan>), ListenError> {
        let finding = self.family.is_some() || self.flags != ServerOptions::default().flags;
        if finding || !self.reuse.is_usual() {
            return Err(ListenError::InvalidArgument(format!(
                "family, flags, reuse-address and reuse-port are for hosts and ports; leave \
                 them out {to}"
            )));
        }
        self.check()
    }

    /// Refuses what is wrong before anything is opened. Returns the limit, and what
    /// TLS is to be like.
    fn check(&self) -> Result<(usize, Option<Plan>), ListenError> {
        let limit = limit(self.limit).map_err(ListenError::InvalidArgument)?;
        let tls = self.tls.server()?;
        if let Some(wanted) = &tls {
            (wanted.maker.check)(&wanted.context)?;
        }
        self.reuse.check()?;
        Ok((limit, tls))
    }

    async fn resolve(&self, hosts: &[Host], port: u16) -> Result<Vec<Wanted>, ListenError> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for (number, host) in hosts.iter().enumerate() {
            let addresses = match host.name() {
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

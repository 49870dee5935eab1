use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{
    CallbackResult, Family, LookupFlags, ServerFailure, eprintln, spawn, timeout,
};

use super::wit::{server as wit, sockets};
use super::{
    Address, ListenError, Port, ServerError, Socket, SslContext, StreamReader, StreamWriter,
    UnixAddress, nanoseconds, pair,
};

/// Starts a server that calls `client_connected` for each connection.
///
/// # Errors
/// The errors of the crate's function of this name.
pub async fn start_server<C, R, Kind>(
    client_connected: C,
    hosts: impl Into<Hosts>,
    port: impl Into<Port>,
) -> Result<Server, ListenError>
where
    C: FnMut(StreamReader, StreamWriter) -> R + 'static,
    R: CallbackResult<Kind>,
    Kind: 'static,
{
    ServerOptions::new()
        .start_server(client_connected, hosts, port)
        .await
}

/// Starts a server on a Unix socket.
///
/// # Errors
/// The errors of the crate's function of this name.
pub async fn start_unix_server<C, R, Kind>(
    client_connected: C,
    path: impl Into<UnixAddress>,
) -> Result<Server, ListenError>
where
    C: FnMut(StreamReader, StreamWriter) -> R + 'static,
    R: CallbackResult<Kind>,
    Kind: 'static,
{
    ServerOptions::new()
        .start_unix_server(client_connected, path)
        .await
}

/// The settings that have a default, each named as the crate's.
#[derive(Clone, Default)]
pub struct ServerOptions {
    settings: Vec<Setting>,
    observer: Option<Observer>,
}

type Setting = Rc<dyn Fn(&wit::ServerOptions)>;
type Observer = Rc<dyn Fn(&ServerFailure)>;

impl ServerOptions {
    /// All defaults.
    pub fn new() -> ServerOptions {
        ServerOptions::default()
    }

    fn set(mut self, setting: impl Fn(&wit::ServerOptions) + 'static) -> Self {
        self.settings.push(Rc::new(setting));
        self
    }

    /// See the crate.
    pub fn limit(self, limit: usize) -> Self {
        self.set(move |options| options.set_limit(limit as u64))
    }

    /// See the crate.
    pub fn family(self, family: Family) -> Self {
        self.set(move |options| options.set_family(family.into()))
    }

    /// See the crate.
    pub fn flags(self, flags: LookupFlags) -> Self {
        self.set(move |options| options.set_flags(flags.into()))
    }

    /// See the crate.
    pub fn backlog(self, backlog: u32) -> Self {
        self.set(move |options| options.set_backlog(backlog))
    }

    /// See the crate.
    pub fn reuse_address(self, reuse: bool) -> Self {
        self.set(move |options| options.set_reuse_address(reuse))
    }

    /// See the crate.
    pub fn reuse_port(self, reuse: bool) -> Self {
        self.set(move |options| options.set_reuse_port(reuse))
    }

    /// See the crate.
    pub fn keep_alive(self, keep_alive: bool) -> Self {
        self.set(move |options| options.set_keep_alive(keep_alive))
    }

    /// See the crate.
    pub fn cleanup_socket(self, cleanup: bool) -> Self {
        self.set(move |options| options.set_cleanup_socket(cleanup))
    }

    /// See the crate.
    pub fn start_serving(self, start_serving: bool) -> Self {
        self.set(move |options| options.set_start_serving(start_serving))
    }

    /// See the crate.
    pub fn ssl(self, context: SslContext) -> Self {
        self.set(move |options| options.set_ssl(context.wit()))
    }

    /// See the crate.
    pub fn ssl_handshake_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_ssl_handshake_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn ssl_shutdown_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_ssl_shutdown_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn max_ssl_handshakes(self, count: u32) -> Self {
        self.set(move |options| options.set_max_ssl_handshakes(count))
    }

    /// See the crate.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_idle_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn connection_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_connection_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn on_failure(mut self, observer: impl Fn(&ServerFailure) + 'static) -> Self {
        self.observer = Some(Rc::new(observer));
        self
    }

    /// Starts a server.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
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
        let hosts = hosts.into().0;
        let server = wit::start_server(hosts, port.into().into(), Some(self.wit())).await?;
        Ok(self.calling(server, client_connected))
    }

    /// Starts a server on a Unix socket.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn start_unix_server<C, R, Kind>(
        &self,
        client_connected: C,
        path: impl Into<UnixAddress>,
    ) -> Result<Server, ListenError>
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let server = wit::start_unix_server(path.into().into(), Some(self.wit())).await?;
        Ok(self.calling(server, client_connected))
    }

    /// Makes a server of a listener.
    ///
    /// # Errors
    /// The errors of the crate's method of this name, which is not asynchronous.
    pub async fn adopt<C, R, Kind>(
        &self,
        client_connected: C,
        socket: Socket,
    ) -> Result<Server, ListenError>
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let server = sockets::start_server(socket.0, Some(self.wit())).await?;
        Ok(self.calling(server, client_connected))
    }

    fn wit(&self) -> wit::ServerOptions {
        let options = wit::ServerOptions::new();
        self.settings.iter().for_each(|set| set(&options));
        options
    }

    /// Has `client_connected` called for each connection.
    fn calling<C, R, Kind>(&self, server: wit::Server, client_connected: C) -> Server
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let server = Rc::new(server);
        let observer = self.observer.clone();
        let tell = Rc::new(move |failure: ServerFailure| match &observer {
            Some(observer) => observer(&failure),
            None => eprintln!("asyncio-streams: {failure}"),
        });
        spawn(watch(server.clone(), tell.clone()));
        spawn(serve(server.clone(), client_connected, tell));
        Server(server)
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").finish_non_exhaustive()
    }
}

/// Reports the failures of the server.
async fn watch(server: Rc<wit::Server>, tell: Rc<impl Fn(ServerFailure)>) {
    while let Ok(failure) = server.next_failure().await {
        match failure {
            wit::ServerFailure::Accept(code) => tell(ServerFailure::Accept(code.into())),
            wit::ServerFailure::Handshake(failure) => tell(ServerFailure::Handshake {
                peer: failure.peer.map(Into::into),
                error: failure.error.into(),
            }),
        }
    }
}

/// Calls back for each connection.
async fn serve<C, R, Kind>(
    server: Rc<wit::Server>,
    mut client_connected: C,
    tell: Rc<impl Fn(ServerFailure) + 'static>,
) where
    C: FnMut(StreamReader, StreamWriter) -> R,
    R: CallbackResult<Kind>,
{
    while let Ok(accepted) = server.accept().await {
        let (reader, writer) = pair(accepted);
        let peer = writer.peername();
        let client = writer.downgrade();
        let tell = tell.clone();
        let over = move |failure: Option<String>| {
            let Some(message) = failure else { return };
            tell(ServerFailure::Callback { peer, message });
            if let Some(client) = client.upgrade() {
                client.close();
            }
        };
        match client_connected(reader, writer).into_task() {
            Ok(task) => drop(spawn(async move { over(task.await) })),
            Err(outcome) => over(outcome),
        }
    }
}

/// A server; its methods are those of the crate's type of this name. Dropping it closes it.
#[derive(Debug)]
pub struct Server(Rc<wit::Server>);

impl Server {
    /// The addresses it is bound to.
    pub fn sockets(&self) -> Vec<Address> {
        self.0.sockets().into_iter().map(Into::into).collect()
    }

    /// Returns true while the server accepts.
    pub fn is_serving(&self) -> bool {
        self.0.is_serving()
    }

    /// Begins to accept.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn start_serving(&self) -> Result<(), ListenError> {
        Ok(self.0.start_serving().await?)
    }

    /// Waits until the server is closed.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn serve_forever(&self) -> Result<(), ServerError> {
        Ok(self.0.serve_forever().await?)
    }

    /// Stops accepting.
    pub fn close(&self) {
        self.0.close();
    }

    /// Closes the connections.
    pub fn close_clients(&self) {
        self.0.close_clients();
    }

    /// Aborts the connections.
    pub fn abort_clients(&self) {
        self.0.abort_clients();
    }

    /// Waits until the server and its connections are closed.
    pub async fn wait_closed(&self) {
        self.0.wait_closed().await;
    }

    /// Runs `body`, then ends the server and its connections.
    pub async fn scope<T>(self, body: impl AsyncFnOnce(&Server) -> T) -> T {
        let ending = Ending(self.0.clone());
        let result = body(&self).await;
        drop(ending);
        if timeout(Duration::from_secs(5), self.0.wait_closed())
            .await
            .is_err()
        {
            self.0.abort_clients();
            self.0.wait_closed().await;
        }
        result
    }
}

/// Ends a server.
struct Ending(Rc<wit::Server>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
        self.0.close_clients();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The hosts a server listens on.
#[derive(Debug, Clone, Default)]
pub struct Hosts(Option<Vec<String>>);

impl From<()> for Hosts {
    fn from((): ()) -> Hosts {
        Hosts::default()
    }
}

impl From<&str> for Hosts {
    fn from(host: &str) -> Hosts {
        Hosts::from([host])
    }
}

impl<const N: usize> From<[&str; N]> for Hosts {
    fn from(hosts: [&str; N]) -> Hosts {
        Hosts(Some(hosts.iter().map(|host| (*host).to_owned()).collect()))
    }
}

impl From<Vec<String>> for Hosts {
    fn from(hosts: Vec<String>) -> Hosts {
        Hosts(Some(hosts))
    }
}

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{Address, Family, LookupFlags};

use super::wit::{sockets, streams as wit};
use super::{
    ConnectError, Port, Socket, SslContext, StreamReader, StreamWriter, UnixAddress, nanoseconds,
    pair,
};

/// Connects with all defaults.
///
/// # Errors
/// The errors of the crate's function of this name.
pub async fn open_connection<'a>(
    host: impl Into<Option<&'a str>>,
    port: impl Into<Port>,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    ConnectOptions::new().open_connection(host, port).await
}

/// Looks up with all defaults.
///
/// # Errors
/// The errors of the crate's function of this name.
pub async fn getaddrinfo<'a>(
    host: impl Into<Option<&'a str>>,
    port: impl Into<Port>,
) -> Result<Vec<SocketAddr>, ConnectError> {
    ConnectOptions::new().getaddrinfo(host, port).await
}

/// Connects to a Unix socket with all defaults.
///
/// # Errors
/// The errors of the crate's function of this name.
pub async fn open_unix_connection(
    path: impl Into<UnixAddress>,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    ConnectOptions::new().open_unix_connection(path).await
}

/// The settings that have a default, each named as the crate's.
#[derive(Clone, Default)]
pub struct ConnectOptions(Vec<Setting>);

type Setting = Rc<dyn Fn(&wit::ConnectOptions)>;

impl ConnectOptions {
    /// All defaults.
    pub fn new() -> ConnectOptions {
        ConnectOptions::default()
    }

    fn set(mut self, setting: impl Fn(&wit::ConnectOptions) + 'static) -> Self {
        self.0.push(Rc::new(setting));
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
    pub fn proto(self, proto: u32) -> Self {
        self.set(move |options| options.set_proto(proto))
    }

    /// See the crate.
    pub fn flags(self, flags: LookupFlags) -> Self {
        self.set(move |options| options.set_flags(flags.into()))
    }

    /// See the crate.
    pub fn local_addr<'a>(self, host: impl Into<Option<&'a str>>, port: impl Into<Port>) -> Self {
        let host = host.into().map(str::to_owned);
        let port = port.into().into();
        self.set(move |options| options.set_local_addr(host.as_deref(), &port))
    }

    /// See the crate.
    pub fn happy_eyeballs_delay(self, delay: Duration) -> Self {
        self.set(move |options| options.set_happy_eyeballs_delay(nanoseconds(delay)))
    }

    /// See the crate.
    pub fn interleave(self, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.set(move |options| options.set_interleave(count))
    }

    /// See the crate.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn keep_alive(self, keep_alive: bool) -> Self {
        self.set(move |options| options.set_keep_alive(keep_alive))
    }

    /// See the crate.
    pub fn ssl(self, context: SslContext) -> Self {
        self.set(move |options| options.set_ssl(context.wit()))
    }

    /// See the crate.
    pub fn server_hostname(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.set(move |options| options.set_server_hostname(&name))
    }

    /// See the crate.
    pub fn ssl_handshake_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_ssl_handshake_timeout(nanoseconds(timeout)))
    }

    /// See the crate.
    pub fn ssl_shutdown_timeout(self, timeout: Duration) -> Self {
        self.set(move |options| options.set_ssl_shutdown_timeout(nanoseconds(timeout)))
    }

    /// Connects.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn open_connection<'a>(
        &self,
        host: impl Into<Option<&'a str>>,
        port: impl Into<Port>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let host = host.into().map(str::to_owned);
        let opened = wit::open_connection(host, port.into().into(), Some(self.wit())).await;
        Ok(pair(opened?))
    }

    /// Looks up.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn getaddrinfo<'a>(
        &self,
        host: impl Into<Option<&'a str>>,
        port: impl Into<Port>,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = host.into().map(str::to_owned);
        let found = wit::getaddrinfo(host, port.into().into(), Some(self.wit())).await?;
        let found = found.into_iter().map(Address::from);
        Ok(found.filter_map(|address| address.ip()).collect())
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn open_unix_connection(
        &self,
        path: impl Into<UnixAddress>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let opened = wit::open_unix_connection(path.into().into(), Some(self.wit())).await;
        Ok(pair(opened?))
    }

    /// Makes streams of a socket.
    ///
    /// # Errors
    /// The errors of the crate's method of this name.
    pub async fn adopt(
        &self,
        socket: Socket,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        Ok(pair(
            sockets::open_connection(socket.0, Some(self.wit())).await?,
        ))
    }

    fn wit(&self) -> wit::ConnectOptions {
        let options = wit::ConnectOptions::new();
        self.0.iter().for_each(|set| set(&options));
        options
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions").finish_non_exhaustive()
    }
}

//! Servers: they bind addresses, accept connections and call back for each.

mod bind;
mod callback;
mod failure;
mod options;
mod reuse;
mod state;
mod times;
mod unix;

use std::fmt;
use std::rc::Rc;

pub use self::callback::CallbackResult;
pub use self::failure::ServerFailure;
pub use self::options::ServerOptions;
use self::state::ServerState;
pub use self::unix::start_unix_server;
use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Attempt, ListenError, ServerError};
use crate::hosts::Hosts;
use crate::port::Port;
use crate::runtime::executor;
use crate::{StreamReader, StreamWriter};

/// Starts a server that calls `client_connected` with a reader and a writer for each
/// connection: asyncio's `start_server`.
///
/// The callback is a plain or an asynchronous function. An asynchronous one runs as a task
/// of its own, so a slow one delays no other. When the callback fails, its connection is
/// closed and the failure is written to standard error ([`ServerOptions::on_failure`]
/// changes that). When it returns, the connection closes with the last handle of its reader
/// or writer: a plain callback may give them to a task that goes on. A callback with state
/// is a closure that gives each call what it needs:
/// `move |reader, writer| handle(reader, writer, state.clone())`.
///
/// `hosts` is one host, several, or `()` or `None` for all interfaces (IPv4 and IPv6, on
/// one port). Port 0 asks for any free one.
///
/// # Errors
/// [`ListenError::Failed`] with the address that could not be bound, and why. Nothing stays
/// open then.
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

/// A server. Dropping it closes it; its connections go on.
///
/// It is `!Send`; [`StreamReader`] says why that is fine.
#[must_use = "dropping a server closes it"]
pub struct Server {
    state: Rc<ServerState>,
}

impl Server {
    /// Returns the addresses that the server is bound to; empty once it is closed.
    pub fn sockets(&self) -> Vec<Address> {
        let bound = self.state.bound.borrow();
        bound.iter().map(|bound| bound.address.clone()).collect()
    }

    /// Returns true while the server accepts connections.
    pub fn is_serving(&self) -> bool {
        let bound = self.state.bound.borrow();
        bound.iter().any(|bound| bound.listening)
    }

    /// Begins to accept; does nothing if the server accepts already.
    ///
    /// # Errors
    /// [`ListenError::Failed`] when listening failed, [`ListenError::Closed`] once the server
    /// is closed.
    pub async fn start_serving(&self) -> Result<(), ListenError> {
        self.listen()
    }

    /// Begins to accept if the server does not yet, and waits until it is closed.
    ///
    /// A host that stops the program closes its servers, as the command does on SIGINT and
    /// SIGTERM. The program then has the time that the host grants:
    /// [`wait_closed`](Self::wait_closed) lets the clients finish.
    ///
    /// # Errors
    /// [`ServerError::Busy`] if another task waits here already, [`ServerError::Closed`] if
    /// the server was closed before, [`ServerError::Listen`] when listening failed.
    ///
    /// # Cancel safety
    /// Dropping the future closes the server and its connections in the
    /// background, as leaving [`scope`](Self::scope) does.
    pub async fn serve_forever(&self) -> Result<(), ServerError> {
        if self.state.stopped.get() {
            return Ok(());
        }
        self.begin()?;
        if self.state.waited.replace(true) {
            return Err(ServerError::Busy);
        }
        let waiting = Waiting(&self.state);
        let ending = Ending::armed(&self.state);
        self.until_closed().await;
        ending.disarm();
        drop(waiting);
        Ok(())
    }

    /// Runs `body`, then ends the server and its connections: asyncio's
    /// `async with server`.
    ///
    /// It closes the server and its connections, waits up to 5 s until written data are
    /// sent, and aborts the connections that are left.
    ///
    /// # Cancel safety
    /// Dropping the future does the same in the background.
    pub async fn scope<T>(self, body: impl AsyncFnOnce(&Server) -> T) -> T {
        let ending = Ending::armed(&self.state);
        let result = body(&self).await;
        self.state.end().await;
        ending.disarm();
        result
    }

    /// Stops accepting and closes the listening sockets. Connections that still wait for the
    /// callback are closed, others go on. A second call does nothing.
    pub fn close(&self) {
        self.state.close();
    }

    /// Closes every connection that came from this server, after sending what was written.
    pub fn close_clients(&self) {
        self.state.each_client(Connection::close);
    }

    /// Aborts every connection that came from this server.
    pub fn abort_clients(&self) {
        self.state.each_client(Connection::abort);
    }

    /// Waits until the server and all its connections are closed.
    pub async fn wait_closed(&self) {
        self.state.wait_closed().await;
    }

    pub(crate) async fn until_closed(&self) {
        let state = &self.state;
        state
            .closing
            .wait_until(|| state.closed.get().then_some(()))
            .await;
    }

    /// Waits for the next connection.
    #[cfg(feature = "component")]
    pub(crate) async fn accept(&self) -> Result<(StreamReader, StreamWriter), ServerError> {
        self.begin()?;
        self.state.accept().await.ok_or(ServerError::Closed)
    }

    /// Waits until [`accept_now`](Self::accept_now) returns a connection or an error.
    #[cfg(feature = "component")]
    pub(crate) async fn acceptable(&self) -> Result<(), ServerError> {
        self.begin()?;
        let state = &self.state;
        state
            .accepting
            .wait_until(|| (state.closed.get() || !state.pending.borrow().is_empty()).then_some(()))
            .await;
        Ok(())
    }

    /// Returns the next connection; `None` if none waits.
    #[cfg(feature = "component")]
    pub(crate) fn accept_now(&self) -> Result<Option<(StreamReader, StreamWriter)>, ServerError> {
        match self.state.accept_now() {
            Some(Some(connection)) => Ok(Some(connection)),
            Some(None) => Err(ServerError::Closed),
            None => Ok(None),
        }
    }

    /// Starts the task that calls back for each connection.
    pub(crate) fn calling<C, R, Kind>(self, client_connected: C) -> Server
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let state = self.state.clone();
        drop(executor::spawn(state::serve(state, client_connected)));
        self
    }

    fn begin(&self) -> Result<(), ServerError> {
        self.listen().map_err(|error| match error {
            ListenError::Closed => ServerError::Closed,
            error => ServerError::Listen(error),
        })
    }

    fn listen(&self) -> Result<(), ListenError> {
        if self.state.closed.get() {
            return Err(ListenError::Closed);
        }
        let mut bound = self.state.bound.borrow_mut();
        for one in bound.iter_mut().filter(|bound| !bound.listening) {
            match one.socket.listen(self.state.backlog) {
                Ok(connections) => {
                    one.listening = true;
                    let listeners = &self.state.listeners;
                    listeners.set(listeners.get() + 1);
                    executor::detach(state::listen(self.state.clone(), connections));
                }
                Err(code) => {
                    let attempt = Attempt {
                        address: one.address.clone(),
                        local_address: None,
                        code,
                    };
                    drop(bound);
                    self.state.close();
                    return Err(ListenError::Failed(attempt));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("sockets", &self.sockets())
            .finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.close();
    }
}

/// Marks the task that waits in `serve_forever`, until it is dropped.
struct Waiting<'a>(&'a ServerState);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waited.set(false);
    }
}

/// Ends the server in the background when it is dropped, unless disarmed before.
struct Ending(Option<Rc<ServerState>>);

impl Ending {
    fn armed(state: &Rc<ServerState>) -> Ending {
        Ending(Some(state.clone()))
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            executor::detach(async move { state.end().await });
        }
    }
}

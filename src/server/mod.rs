//! Serving.

mod bind;
mod callback;
mod failure;
mod options;
mod reuse;
mod state;
mod unix;

use std::fmt;
use std::rc::Rc;

pub use self::callback::CallbackResult;
pub use self::failure::ServerFailure;
pub use self::options::ServerOptions;
use self::state::Shared;
pub use self::unix::start_unix_server;
use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Attempt, ListenError, ServerError};
use crate::hosts::Hosts;
use crate::port::Port;
use crate::runtime::executor;
use crate::{StreamReader, StreamWriter};

/// Starts a server that calls `client_connected` with a reader and a writer for
/// each connection: asyncio's `start_server`.
///
/// The callback is a plain or an asynchronous function. An asynchronous one
/// runs as a task of its own, so a slow one delays no other. When the callback
/// fails, its connection is closed and the failure is written to standard error
/// ([`ServerOptions::on_failure`] changes that); when it returns, the connection
/// is closed as soon as nobody holds its reader or writer any more: a plain
/// callback may hand them to a task that goes on. A callback with state of its
/// own is a closure that gives each call what it needs:
/// `move |reader, writer| handle(reader, writer, state.clone())`.
///
/// `hosts` is one host, several, or `()` or `None` for all interfaces (IPv4 and IPv6, on
/// one port). Port 0 asks for any free one.
///
/// # Errors
/// [`ListenError::Failed`] with the address that could not be had and why;
/// nothing stays open then.
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

/// A server. Dropping it closes it; its connections live on.
pub struct Server {
    shared: Rc<Shared>,
}

impl Server {
    /// The addresses the server is bound to; empty once it is closed.
    pub fn sockets(&self) -> Vec<Address> {
        let bound = self.shared.bound.borrow();
        bound.iter().map(|bound| bound.address.clone()).collect()
    }

    /// Whether the server accepts connections.
    pub fn is_serving(&self) -> bool {
        let bound = self.shared.bound.borrow();
        bound.iter().any(|bound| bound.listening)
    }

    /// Begins to accept. Nothing to do if the server does already.
    ///
    /// # Errors
    /// [`ListenError::Failed`] when listening failed, [`ListenError::Closed`].
    pub async fn start_serving(&self) -> Result<(), ListenError> {
        self.listen()
    }

    /// Begins to accept if the server does not yet, and waits until it is
    /// closed. A host that stops the program closes its servers, as the command
    /// does at SIGINT and SIGTERM; what the program does then is up to it, for the
    /// time that the host gives: [`wait_closed`](Self::wait_closed) lets the
    /// clients finish.
    ///
    /// # Errors
    /// [`ServerError::Busy`] when another task waits here,
    /// [`ServerError::Closed`] when the server was closed before,
    /// [`ServerError::Listen`] when serving could not begin.
    ///
    /// # Cancel safety
    /// Dropping the future closes the server and its connections in the
    /// background, as leaving [`scope`](Self::scope) does.
    pub async fn serve_forever(&self) -> Result<(), ServerError> {
        if self.shared.stopped.get() {
            return Ok(());
        }
        self.begin()?;
        if self.shared.waited.replace(true) {
            return Err(ServerError::Busy);
        }
        let waiting = Waiting(&self.shared);
        let ending = Ending::armed(&self.shared);
        self.until_closed().await;
        ending.disarm();
        drop(waiting);
        Ok(())
    }

    /// Runs `body` and then ends everything: closes the server, closes its
    /// connections, waits up to 5 s for what was written to be sent, and aborts
    /// the rest. asyncio's `async with server`.
    ///
    /// # Cancel safety
    /// Dropping the future does the same in the background.
    pub async fn scope<T>(self, body: impl AsyncFnOnce(&Server) -> T) -> T {
        let ending = Ending::armed(&self.shared);
        let result = body(&self).await;
        self.shared.end().await;
        ending.disarm();
        result
    }

    /// Stops accepting and closes the listening sockets. Connections that
    /// nobody accepted are closed; others live on. A second call does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Closes every connection that came from this server, after sending what
    /// was written.
    pub fn close_clients(&self) {
        self.shared.each_client(Connection::close);
    }

    /// Closes every connection that came from this server at once.
    pub fn abort_clients(&self) {
        self.shared.each_client(Connection::abort);
    }

    /// Waits until the server and all its connections are closed.
    pub async fn wait_closed(&self) {
        self.shared.wait_closed().await;
    }

    pub(crate) async fn until_closed(&self) {
        let shared = &self.shared;
        shared
            .closing
            .wait_until(|| shared.closed.get().then_some(()))
            .await;
    }

    /// Waits for the next connection.
    #[cfg(feature = "component")]
    pub(crate) async fn accept(&self) -> Result<(StreamReader, StreamWriter), ServerError> {
        self.begin()?;
        self.shared.accept().await.ok_or(ServerError::Closed)
    }

    /// Waits until [`accept_now`](Self::accept_now) has something to say.
    #[cfg(feature = "component")]
    pub(crate) async fn acceptable(&self) -> Result<(), ServerError> {
        self.begin()?;
        let shared = &self.shared;
        shared
            .accepting
            .wait_until(|| {
                (shared.closed.get() || !shared.pending.borrow().is_empty()).then_some(())
            })
            .await;
        Ok(())
    }

    #[cfg(feature = "component")]
    pub(crate) fn accept_now(&self) -> Result<Option<(StreamReader, StreamWriter)>, ServerError> {
        match self.shared.accept_now() {
            Some(Some(connection)) => Ok(Some(connection)),
            Some(None) => Err(ServerError::Closed),
            None => Ok(None),
        }
    }

    /// Calls back for each connection from now on.
    pub(crate) fn calling<C, R, Kind>(self, client_connected: C) -> Server
    where
        C: FnMut(StreamReader, StreamWriter) -> R + 'static,
        R: CallbackResult<Kind>,
        Kind: 'static,
    {
        let shared = self.shared.clone();
        drop(executor::spawn(state::serve(shared, client_connected)));
        self
    }

    fn begin(&self) -> Result<(), ServerError> {
        self.listen().map_err(|error| match error {
            ListenError::Closed => ServerError::Closed,
            error => ServerError::Listen(error),
        })
    }

    fn listen(&self) -> Result<(), ListenError> {
        if self.shared.closed.get() {
            return Err(ListenError::Closed);
        }
        let mut bound = self.shared.bound.borrow_mut();
        for one in bound.iter_mut().filter(|bound| !bound.listening) {
            match one.socket.listen(self.shared.backlog) {
                Ok(connections) => {
                    one.listening = true;
                    let listeners = &self.shared.listeners;
                    listeners.set(listeners.get() + 1);
                    executor::detach(state::listen(self.shared.clone(), connections));
                }
                Err(code) => {
                    let attempt = Attempt {
                        address: one.address.clone(),
                        local_address: None,
                        code,
                    };
                    drop(bound);
                    self.shared.close();
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
        self.shared.close();
    }
}

/// A task in `serve_forever`.
struct Waiting<'a>(&'a Shared);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waited.set(false);
    }
}

/// Ends the server in the background when it is dropped.
struct Ending(Option<Rc<Shared>>);

impl Ending {
    fn armed(shared: &Rc<Shared>) -> Ending {
        Ending(Some(shared.clone()))
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            executor::detach(async move { shared.end().await });
        }
    }
}

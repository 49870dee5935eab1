use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::{eprintln, spawn, timeout};

use super::wit::server as wit;
use super::{Address, ListenError, Outcome, Port, ServerError, StreamReader, StreamWriter, pair};

/// Starts a server that calls `client_connected` for each connection.
///
/// # Errors
/// As the crate's function of this name.
pub async fn start_server<C, F>(
    mut client_connected: C,
    hosts: impl Into<Hosts>,
    port: impl Into<Port>,
) -> Result<Server, ListenError>
where
    C: FnMut(StreamReader, StreamWriter) -> F + 'static,
    F: Future<Output: Outcome> + 'static,
{
    let server = wit::start_server(hosts.into().0, port.into().into(), None).await?;
    let server = Rc::new(server);
    let accepting = server.clone();
    spawn(async move {
        while let Ok(accepted) = accepting.accept().await {
            let (reader, writer) = pair(accepted);
            let client = writer.downgrade();
            let task = client_connected(reader, writer);
            spawn(async move {
                if let Some(failure) = task.await.failure() {
                    eprintln!("client_connected: {failure}");
                    if let Some(client) = client.upgrade() {
                        client.close();
                    }
                }
            });
        }
    });
    Ok(Server(server))
}

/// A server. Dropping it closes it.
#[derive(Debug)]
pub struct Server(Rc<wit::Server>);

impl Server {
    /// The addresses it is bound to.
    pub fn sockets(&self) -> Vec<Address> {
        self.0.sockets().into_iter().map(Into::into).collect()
    }

    /// Waits until the server is closed.
    ///
    /// # Errors
    /// As the crate's method of this name.
    pub async fn serve_forever(&self) -> Result<(), ServerError> {
        Ok(self.0.serve_forever().await?)
    }

    /// Stops accepting.
    pub fn close(&self) {
        self.0.close();
    }

    /// Waits until the server and its connections are closed.
    pub async fn wait_closed(&self) {
        self.0.wait_closed().await;
    }

    /// Runs `body`, then ends the server and its connections.
    pub async fn scope<T>(self, body: impl AsyncFnOnce(&Server) -> T) -> T {
        let result = body(&self).await;
        self.0.close();
        self.0.close_clients();
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

impl Drop for Server {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The hosts a server listens on; none means all interfaces.
#[derive(Debug, Clone, Default)]
pub struct Hosts(Vec<String>);

impl From<()> for Hosts {
    fn from((): ()) -> Hosts {
        Hosts::default()
    }
}

impl From<&str> for Hosts {
    fn from(host: &str) -> Hosts {
        Hosts(vec![host.to_owned()])
    }
}

impl From<Vec<String>> for Hosts {
    fn from(hosts: Vec<String>) -> Hosts {
        Hosts(hosts)
    }
}

//! Connecting to Unix sockets.

use super::ConnectOptions;
use crate::address::UnixAddress;
use crate::error::ConnectError;
use crate::socket::{check_unix_address, unix};
use crate::{StreamReader, StreamWriter};

/// Connects to a Unix socket: asyncio's `open_unix_connection`.
///
/// The path is absolute: a component has no current folder. A path that begins with a zero
/// byte is a name of Linux' abstract namespace.
///
/// A linked program that calls this imports `asyncio:host/unix-sockets`, which the
/// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
///
/// # Errors
/// [`ConnectError::Failed`] with one attempt: [`NotFound`], [`ConnectionRefused`] when no
/// server listens there, [`NotASocket`], or [`AccessDenied`].
/// [`ConnectError::InvalidArgument`] for an invalid address.
///
/// # Cancel safety
/// Dropping the future closes the socket.
///
/// [`NotFound`]: crate::ErrorCode::NotFound
/// [`ConnectionRefused`]: crate::ErrorCode::ConnectionRefused
/// [`NotASocket`]: crate::ErrorCode::NotASocket
/// [`AccessDenied`]: crate::ErrorCode::AccessDenied
pub async fn open_unix_connection(
    path: impl Into<UnixAddress>,
) -> Result<(StreamReader, StreamWriter), ConnectError> {
    ConnectOptions::new().open_unix_connection(path).await
}

impl ConnectOptions {
    /// Connects with these options; see
    /// [`open_unix_connection`](crate::open_unix_connection).
    ///
    /// # Errors
    /// As for [`open_unix_connection`](crate::open_unix_connection);
    /// [`ConnectError::Timeout`] when the time limit passed,
    /// [`ConnectError::InvalidArgument`] if an option is set that concerns hosts and
    /// ports, or TLS without a
    /// [`server_hostname`](ConnectOptions::server_hostname).
    pub async fn open_unix_connection(
        &self,
        path: impl Into<UnixAddress>,
    ) -> Result<(StreamReader, StreamWriter), ConnectError> {
        let (limit, wanted) = self.check_without_host("to connect to a Unix socket")?;
        let address = path.into();
        let connecting = async {
            let connected = match check_unix_address(&address) {
                Ok(()) => unix::connect(&address).await,
                Err(invalid) => Err(invalid),
            };
            let socket = connected.map_err(|refusal| refusal.connecting(Some(address.into())))?;
            self.connected(socket, wanted).await
        };
        let pending = self.within(connecting).await?;
        let (reader, writer, _) = pending.open(limit, || {});
        Ok((reader, writer))
    }
}

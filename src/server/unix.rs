//! Servers on Unix sockets.

use super::{CallbackResult, Server, ServerOptions};
use crate::address::UnixAddress;
use crate::error::ListenError;
use crate::socket::{check_unix_address, unix};
use crate::{Socket, StreamReader, StreamWriter};

/// Starts a server on a Unix socket: asyncio's `start_unix_server`. Everything but the
/// address is as for [`start_server`](crate::start_server).
///
/// The path is absolute: a component has no current folder. A path that begins with a zero
/// byte is a name of Linux' abstract namespace. The file of a socket that no process listens
/// on any more is replaced; the host finds that out by connecting to it. The file is removed
/// when the server closes, if it is still the server's.
///
/// A linked program that calls this imports `asyncio:host/unix-sockets`, which the
/// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
///
/// # Errors
/// [`ListenError::Failed`] with [`AddressInUse`] when another server listens there,
/// [`NotASocket`] when another kind of file is there, [`NotFound`] when the folder does not
/// exist, or [`AccessDenied`]. [`ListenError::InvalidArgument`] for an invalid address.
///
/// [`AddressInUse`]: crate::ErrorCode::AddressInUse
/// [`NotASocket`]: crate::ErrorCode::NotASocket
/// [`NotFound`]: crate::ErrorCode::NotFound
/// [`AccessDenied`]: crate::ErrorCode::AccessDenied
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

impl ServerOptions {
    /// Starts a server with these options; see
    /// [`start_unix_server`](crate::start_unix_server).
    ///
    /// # Errors
    /// As for [`start_unix_server`](crate::start_unix_server);
    /// [`ListenError::InvalidArgument`] if an option is set that concerns hosts and ports.
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
        Ok(self.bind_unix(path.into())?.calling(client_connected))
    }

    /// Binds, and listens unless `start_serving` is false. Connections wait for
    /// `Server::accept`.
    pub(crate) fn bind_unix(&self, address: UnixAddress) -> Result<Server, ListenError> {
        let checked = self.check_without_host("to listen on a Unix socket")?;
        let bound =
            check_unix_address(&address).and_then(|()| unix::bind(&address, self.cleanup_socket));
        let socket = bound.map_err(|refusal| refusal.listening(Some(address.into())))?;
        self.serving(checked, Socket(socket))
    }
}

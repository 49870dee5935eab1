//! Serving on Unix sockets.

use super::{CallbackResult, Server, ServerOptions};
use crate::address::UnixAddress;
use crate::error::ListenError;
use crate::socket::{check_unix_address, unix};
use crate::{Socket, StreamReader, StreamWriter};

/// Starts a server on a Unix socket: asyncio's `start_unix_server`. Everything but the
/// address is as for [`start_server`](crate::start_server).
///
/// The path is absolute: a component has no current folder. One that begins with a
/// zero byte is a name of Linux' abstract namespace. The file of a socket at which
/// nobody listens any more is replaced; whether somebody does is found out by
/// connecting to it. The file is removed when the server closes, if it is still its
/// own.
///
/// A linked program that calls this imports `asyncio:host/unix-sockets`, which the
/// command `asyncio-streams run` and the crate `asyncio-streams-host` provide.
///
/// # Errors
/// [`ListenError::Failed`]: [`AddressInUse`] when somebody listens there,
/// [`NotASocket`] when another file is there, [`NotFound`] when there is no such
/// folder, [`AccessDenied`]. [`ListenError::InvalidArgument`] for an address that can
/// be none.
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
    /// As there; [`ListenError::InvalidArgument`] if an option is set that concerns
    /// hosts and ports.
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

    /// Binds, and listens unless told otherwise. Connections wait for
    /// [`Server::accept`].
    pub(crate) fn bind_unix(&self, address: UnixAddress) -> Result<Server, ListenError> {
        let checked = self.check_without_host("to listen on a Unix socket")?;
        let bound =
            check_unix_address(&address).and_then(|()| unix::bind(&address, self.cleanup_socket));
        let socket = bound.map_err(|refusal| refusal.listening(Some(address.into())))?;
        self.serving(checked, Socket(socket))
    }
}

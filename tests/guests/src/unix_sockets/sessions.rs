//! Checks TLS over Unix sockets. The test's policy has its roots, and the identity
//! `server` for `localhost`.

use futures::future::try_join;
use wasi::wit_stream;

use super::Folder;
use super::support::tls::{Connection, Context, ErrorCode, Side, Transport};
use super::support::{SocketError, UnixSocket};
use crate::checks::{Failure, Outcome};

checks! {
    a_session_is_had_over_a_pair
    a_session_begins_with_bytes_received_before
    only_a_connected_socket_can_be_a_sessions
}

/// Longer than anything takes.
const PATIENCE: u64 = 60_000_000_000;

fn client(socket: UnixSocket) -> Result<Connection, ErrorCode> {
    Context::new(Side::Client).wrap_socket(Transport::Unix(socket), &[], Some("localhost"))
}

fn server(socket: UnixSocket, received: &[u8]) -> Result<Connection, ErrorCode> {
    let context = Context::new(Side::Server);
    context.use_identity("server")?;
    context.wrap_socket(Transport::Unix(socket), received, None)
}

/// Sends a line from the client, and ends the session.
async fn talk(server: Connection, client: Connection) -> Outcome {
    let (shaken, _) = try_join(server.handshake(PATIENCE), client.handshake(PATIENCE)).await?;
    same!(shaken.server_hostname.as_deref(), Some("localhost"));
    let (mut to_send, data) = wit_stream::new();
    let sent = client.send(data);
    same!(to_send.write_all(b"hidden".to_vec()).await, b"");
    drop(to_send);
    let (received, end) = server.receive();
    let receiving = async {
        same!(received.collect().await, b"hidden");
        end.await?;
        Connection::close(server, PATIENCE).await?;
        Ok::<_, Failure>(())
    };
    let closing = async {
        sent.await?;
        Ok(Connection::close(client, PATIENCE).await?)
    };
    try_join(receiving, closing).await?;
    Ok(())
}

async fn a_session_is_had_over_a_pair(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    talk(server(one, &[])?, client(other)?).await
}

async fn a_session_begins_with_bytes_received_before(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    let connection = client(other)?;
    // The client begins the handshake. The server finds its bytes in the buffer.
    let begun = async { Ok::<_, Failure>(connection.handshake(PATIENCE).await?) };
    let serving = async {
        let mut early = Vec::new();
        while early.len() < 5 {
            match one.receive_nowait(5)? {
                Some(bytes) => early.extend(bytes),
                None => asyncio_streams::sleep(std::time::Duration::from_millis(1)).await,
            }
        }
        let server = server(one, &early)?;
        server.handshake(PATIENCE).await?;
        Ok(server)
    };
    try_join(begun, serving).await?;
    Ok(())
}

async fn only_a_connected_socket_can_be_a_sessions(_: Folder) -> Outcome {
    fails!(
        client(UnixSocket::create()?),
        ErrorCode::Socket(SocketError::InvalidState)
    );
    let (one, _other) = UnixSocket::pair()?;
    let (to_send, data) = wit_stream::new();
    let ended = one.send(data);
    drop(to_send);
    ended.await?;
    fails!(client(one), ErrorCode::Socket(SocketError::InvalidState));
    Ok(())
}

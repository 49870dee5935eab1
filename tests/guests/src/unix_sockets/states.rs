//! Checks which calls each state permits.

use wasi::wit_stream;
use wit_bindgen::StreamResult;

use super::Folder;
use super::support::{ErrorCode, SocketError, UnixSocket, connect};
use crate::checks::{End, Outcome};

checks! {
    a_new_socket_is_to_be_bound_or_connected
    a_bound_socket_is_to_listen
    a_listening_socket_does_nothing_else
    a_connected_socket_sends_and_receives
    a_failed_socket_is_of_no_use
    a_pair_counts_as_two_and_dropped_ones_do_not_count
}

/// Checks that everything that needs a connection fails.
async fn is_not_connected(socket: &UnixSocket) -> Outcome {
    fails!(socket.get_remote_address(), SocketError::InvalidState);
    fails!(socket.get_peer_credentials(), SocketError::InvalidState);
    fails!(socket.send_nowait(b"x"), SocketError::InvalidState);
    fails!(socket.receive_nowait(1), SocketError::InvalidState);
    let (mut received, end) = socket.receive();
    same!(received.next().await, None);
    fails!(end.await, SocketError::InvalidState);
    let (mut to_send, data) = wit_stream::new();
    let end = socket.send(data);
    same!(to_send.write(vec![0]).await.0, StreamResult::Dropped);
    fails!(end.await, SocketError::InvalidState);
    Ok(())
}

/// Checks that the socket can neither be bound nor connected.
async fn is_not_new(socket: &UnixSocket, folder: &Folder) -> Outcome {
    fails!(
        socket.bind(&folder.at("more.sock")),
        ErrorCode::Socket(SocketError::InvalidState)
    );
    fails!(
        socket.connect(folder.at("live.sock")).await,
        ErrorCode::Socket(SocketError::InvalidState)
    );
    Ok(())
}

async fn a_new_socket_is_to_be_bound_or_connected(_: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    is_not_connected(&socket).await?;
    fails!(socket.listen(), SocketError::InvalidState);
    fails!(socket.get_local_address(), SocketError::InvalidState);
    ensure!(!socket.get_is_listening(), "it listens");
    Ok(())
}

async fn a_bound_socket_is_to_listen(folder: Folder) -> Outcome {
    let socket = folder.bound("a.sock")?;
    is_not_connected(&socket).await?;
    is_not_new(&socket, &folder).await?;
    ensure!(!socket.get_is_listening(), "it listens");
    socket.listen()?;
    Ok(())
}

async fn a_listening_socket_does_nothing_else(folder: Folder) -> Outcome {
    let listener = folder.listener("b.sock")?;
    is_not_connected(&listener.socket).await?;
    is_not_new(&listener.socket, &folder).await?;
    fails!(listener.socket.listen(), SocketError::InvalidState);
    ensure!(listener.socket.get_is_listening(), "it does not listen");
    Ok(())
}

async fn a_connected_socket_sends_and_receives(folder: Folder) -> Outcome {
    let mut listener = folder.listener("c.sock")?;
    let (accepted, client) = listener.pair().await?;
    let (one, _other) = UnixSocket::pair()?;
    for socket in [accepted, client, one] {
        is_not_new(&socket, &folder).await?;
        fails!(socket.listen(), SocketError::InvalidState);
        fails!(socket.set_listen_backlog_size(1), SocketError::InvalidState);
        ensure!(!socket.get_is_listening(), "it listens");
        // Each half can be used once, and excludes the calls that do not wait.
        let end = End::of(socket);
        let (mut received, again) = end.socket.receive();
        same!(received.next().await, None);
        fails!(again.await, SocketError::InvalidState);
        let (mut to_send, data) = wit_stream::new();
        let again = end.socket.send(data);
        same!(to_send.write(vec![0]).await.0, StreamResult::Dropped);
        fails!(again.await, SocketError::InvalidState);
        fails!(end.socket.send_nowait(b"x"), SocketError::InvalidState);
        fails!(end.socket.receive_nowait(1), SocketError::InvalidState);
    }
    Ok(())
}

async fn a_failed_socket_is_of_no_use(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    fails!(
        socket.connect(folder.at("left.sock")).await,
        ErrorCode::Socket(SocketError::ConnectionRefused)
    );
    is_not_new(&socket, &folder).await?;
    fails!(socket.get_remote_address(), SocketError::ConnectionRefused);
    fails!(socket.listen(), SocketError::ConnectionRefused);
    Ok(())
}

/// The test's limit is six sockets.
async fn a_pair_counts_as_two_and_dropped_ones_do_not_count(folder: Folder) -> Outcome {
    for _ in 0..3 {
        let (one, other) = UnixSocket::pair()?;
        let (_third, _fourth) = UnixSocket::pair()?;
        let fifth = connect(&folder.at("live.sock")).await?;
        fails!(UnixSocket::pair(), SocketError::Other(Some(_)));
        let sixth = UnixSocket::create()?;
        fails!(UnixSocket::create(), SocketError::Other(Some(_)));
        drop((one, other, fifth, sixth));
    }
    Ok(())
}

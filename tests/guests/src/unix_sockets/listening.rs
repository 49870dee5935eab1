//! Checks listening, connecting, and what happens to the file.

use std::pin::pin;

use futures::future::try_join_all;

use super::Folder;
use super::support::{ErrorCode, SocketError, UnixSocket, connect, text};
use crate::checks::{Failure, Outcome, at_once};

checks! {
    what_is_accepted_has_the_address_and_the_credentials_of_the_peer
    several_connections_are_accepted
    closing_it_ends_its_stream_and_removes_the_file
    without_its_stream_it_goes_on_listening
    a_file_that_is_to_stay_stays
    a_connect_waits_while_more_wait_than_may
    a_connect_that_was_given_up_leaves_room_for_others
    a_backlog_of_0_is_invalid_and_any_other_taken
}

async fn what_is_accepted_has_the_address_and_the_credentials_of_the_peer(
    folder: Folder,
) -> Outcome {
    let mut listener = folder.listener("a.sock")?;
    let (accepted, client) = listener.pair().await?;
    let address = text(listener.address.clone());
    same!(text(listener.socket.get_local_address()?), address);
    same!(text(accepted.get_local_address()?), address);
    same!(text(accepted.get_remote_address()?), "unnamed");
    same!(text(client.get_local_address()?), "unnamed");
    same!(text(client.get_remote_address()?), address);
    // Both ends belong to this process.
    let ours = accepted.get_peer_credentials()?;
    ensure!(ours.pid.is_some(), "no process");
    let peer = client.get_peer_credentials()?;
    same!(
        (peer.pid, peer.uid, peer.gid),
        (ours.pid, ours.uid, ours.gid)
    );
    // The ends of a pair have no peer but this program.
    let (one, other) = UnixSocket::pair()?;
    fails!(one.get_peer_credentials(), SocketError::NotSupported);
    fails!(other.get_peer_credentials(), SocketError::NotSupported);
    Ok(())
}

async fn several_connections_are_accepted(folder: Folder) -> Outcome {
    let mut listener = folder.listener("b.sock")?;
    let connecting = (0..50).map(|_| connect(&listener.address));
    let clients = try_join_all(connecting).await?;
    for _ in &clients {
        let accepted = listener.accept().await?;
        ensure!(!accepted.get_is_listening(), "it listens");
        accepted.send_nowait(b"x")?;
    }
    for client in clients {
        let (mut received, _end) = client.receive();
        same!(received.next().await, Some(b'x'));
    }
    Ok(())
}

async fn closing_it_ends_its_stream_and_removes_the_file(folder: Folder) -> Outcome {
    let mut listener = folder.listener("c.sock")?;
    let (accepted, client) = listener.pair().await?;
    drop(listener.socket);
    ensure!(listener.connections.next().await.is_none(), "it goes on");
    let late = UnixSocket::create()?;
    fails!(late.connect(listener.address).await, ErrorCode::NotFound);
    // An accepted connection does not depend on the listener.
    accepted.send_nowait(b"x")?;
    same!(client.receive_nowait(2)?, Some(b"x".to_vec()));
    Ok(())
}

async fn without_its_stream_it_goes_on_listening(folder: Folder) -> Outcome {
    let listener = folder.listener("d.sock")?;
    drop(listener.connections);
    ensure!(listener.socket.get_is_listening(), "it does not listen");
    connect(&listener.address).await?;
    Ok(())
}

async fn a_file_that_is_to_stay_stays(folder: Folder) -> Outcome {
    let socket = folder.bound("kept.sock")?;
    socket.set_unlink(false);
    drop(socket.listen()?);
    drop(socket);
    let late = UnixSocket::create()?;
    fails!(
        late.connect(folder.at("kept.sock")).await,
        ErrorCode::Socket(SocketError::ConnectionRefused)
    );
    Ok(())
}

async fn a_connect_waits_while_more_wait_than_may(folder: Folder) -> Outcome {
    let socket = folder.bound("e.sock")?;
    socket.set_listen_backlog_size(1)?;
    let mut connections = socket.listen()?;
    let address = folder.at("e.sock");
    let mut clients = Vec::new();
    let accepting = async {
        // The number of connections that the kernel queues without a backlog.
        loop {
            let client = UnixSocket::create()?;
            let mut connecting = Box::pin({
                let address = address.clone();
                async move { client.connect(address).await.map(|()| client) }
            });
            match at_once(connecting.as_mut()) {
                std::task::Poll::Ready(client) => clients.push(client?),
                std::task::Poll::Pending => return Ok::<_, Failure>(connecting),
            }
            ensure!(clients.len() < 100, "all of them are let in");
        }
    };
    let last = accepting.await?;
    for _ in &clients {
        ensure!(connections.next().await.is_some(), "none is accepted");
    }
    last.await?;
    ensure!(
        connections.next().await.is_some(),
        "the last is not accepted"
    );
    Ok(())
}

async fn a_connect_that_was_given_up_leaves_room_for_others(folder: Folder) -> Outcome {
    let socket = folder.bound("f.sock")?;
    socket.set_listen_backlog_size(1)?;
    let mut connections = socket.listen()?;
    let address = folder.at("f.sock");
    let mut waiting = 0;
    loop {
        let client = UnixSocket::create()?;
        let mut connecting = pin!(client.connect(address.clone()));
        if at_once(connecting.as_mut()).is_pending() {
            break;
        }
        waiting += 1;
        ensure!(waiting < 100, "all of them are let in");
    }
    for _ in 0..waiting {
        ensure!(connections.next().await.is_some(), "none is accepted");
    }
    connect(&address).await?;
    ensure!(connections.next().await.is_some(), "none is accepted");
    Ok(())
}

async fn a_backlog_of_0_is_invalid_and_any_other_taken(folder: Folder) -> Outcome {
    let socket = UnixSocket::create()?;
    for backlog in [1, u64::MAX] {
        socket.set_listen_backlog_size(backlog)?;
    }
    fails!(
        socket.set_listen_backlog_size(0),
        SocketError::InvalidArgument
    );
    socket.bind(&folder.at("g.sock"))?;
    let _connections = socket.listen()?;
    socket.set_listen_backlog_size(5)?;
    fails!(
        socket.set_listen_backlog_size(0),
        SocketError::InvalidArgument
    );
    Ok(())
}

use wasi::sockets::types::{ErrorCode, TcpSocket};
use wit_bindgen::StreamResult;

use super::support::{connect, local, remote, wasi};
use super::{Ip, Outcome};
use crate::checks::End;

checks! {
    a_new_socket_is_of_its_family_and_nowhere
    a_bound_socket_has_a_local_address_alone
    a_listener_has_a_local_address_and_does_nothing_else
    a_connected_socket_has_both_addresses_and_stays_connected
}

/// Options can be read and set in every state but two: connecting, and closed.
fn has_options(socket: &TcpSocket) -> Result<(), ErrorCode> {
    socket.get_keep_alive_enabled()?;
    socket.set_keep_alive_enabled(true)?;
    socket.get_keep_alive_idle_time()?;
    socket.set_keep_alive_idle_time(1)?;
    socket.get_keep_alive_interval()?;
    socket.set_keep_alive_interval(1)?;
    socket.get_keep_alive_count()?;
    socket.set_keep_alive_count(1)?;
    socket.get_hop_limit()?;
    socket.set_hop_limit(255)?;
    socket.get_receive_buffer_size()?;
    socket.set_receive_buffer_size(16_000)?;
    socket.get_send_buffer_size()?;
    socket.set_send_buffer_size(16_000)
}

/// Checks that a socket without a connection takes no data and receives none.
async fn neither_sends_nor_receives(socket: TcpSocket) -> Outcome {
    let mut end = End::of(socket);
    same!(
        end.received.read(Vec::with_capacity(1)).await.0,
        StreamResult::Dropped
    );
    let (result, rest) = end.to_send.write(b"kept".to_vec()).await;
    same!(result, StreamResult::Dropped);
    same!(rest.into_vec(), b"kept");
    fails!(end.receive.await, InvalidState);
    fails!(end.send.await, InvalidState);
    Ok(())
}

async fn a_new_socket_is_of_its_family_and_nowhere(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    same!(socket.get_address_family(), ip.family());
    ensure!(!socket.get_is_listening(), "it listens");
    fails!(local(&socket), InvalidState);
    fails!(remote(&socket), InvalidState);
    socket.set_listen_backlog_size(32)?;
    has_options(&socket)?;
    neither_sends_nor_receives(socket).await
}

async fn a_bound_socket_has_a_local_address_alone(ip: Ip) -> Outcome {
    let socket = ip.bound()?;
    same!(socket.get_address_family(), ip.family());
    ensure!(!socket.get_is_listening(), "it listens");
    same!(local(&socket)?.ip(), ip.loopback());
    fails!(remote(&socket), InvalidState);
    fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
    socket.set_listen_backlog_size(32)?;
    has_options(&socket)?;
    neither_sends_nor_receives(socket).await
}

async fn a_listener_has_a_local_address_and_does_nothing_else(ip: Ip) -> Outcome {
    let other = ip.listener()?;
    let listener = ip.listener()?;
    let socket = listener.socket;
    same!(socket.get_address_family(), ip.family());
    ensure!(socket.get_is_listening(), "it does not listen");
    same!(local(&socket)?, listener.address);
    fails!(remote(&socket), InvalidState);
    fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
    fails!(connect(&socket, other.address).await, InvalidState);
    fails!(socket.listen(), InvalidState);
    has_options(&socket)?;
    neither_sends_nor_receives(socket).await
}

async fn a_connected_socket_has_both_addresses_and_stays_connected(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let (accepted, client) = listener.pair().await?;
    for socket in [accepted, client] {
        same!(socket.get_address_family(), ip.family());
        ensure!(!socket.get_is_listening(), "it listens");
        same!(local(&socket)?.ip(), ip.loopback());
        same!(remote(&socket)?.ip(), ip.loopback());
        fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
        fails!(connect(&socket, listener.address).await, InvalidState);
        fails!(socket.listen(), InvalidState);
        fails!(socket.set_listen_backlog_size(32), InvalidState);
        has_options(&socket)?;
    }
    Ok(())
}

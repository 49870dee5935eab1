use std::pin::pin;

use wit_bindgen::StreamResult;

use super::support::{connect, disguised, local, remote, wasi};
use super::{Ip, Outcome};
use crate::checks::{End, at_once};

checks! {
    the_wildcard_address_is_invalid
    port_0_is_invalid
    an_address_of_the_other_family_is_invalid
    an_address_of_many_is_invalid
    an_ipv4_mapped_or_compatible_address_is_invalid
    an_invalid_address_does_not_use_the_socket_up
    a_bind_is_kept
    a_port_is_picked_where_there_was_no_bind
    without_a_listener_a_connect_is_refused
    a_socket_that_was_refused_is_closed
    a_socket_can_connect_to_itself
    a_socket_that_connects_takes_nothing_else
    a_connect_that_was_given_up_closes_the_socket
}

/// A port to which no check really connects.
const PORT: u16 = 47;

async fn the_wildcard_address_is_invalid(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    let wildcard = (ip.unspecified(), PORT).into();
    fails!(connect(&socket, wildcard).await, InvalidArgument);
    Ok(())
}

async fn port_0_is_invalid(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    fails!(
        connect(&socket, (ip.loopback(), 0).into()).await,
        InvalidArgument
    );
    Ok(())
}

async fn an_address_of_the_other_family_is_invalid(ip: Ip) -> Outcome {
    let listener = ip.other().listener()?;
    fails!(
        connect(&ip.create()?, listener.address).await,
        InvalidArgument
    );
    Ok(())
}

async fn an_address_of_many_is_invalid(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    for address in ip.many() {
        fails!(
            connect(&socket, (address, PORT).into()).await,
            InvalidArgument
        );
    }
    Ok(())
}

async fn an_ipv4_mapped_or_compatible_address_is_invalid(_: Ip) -> Outcome {
    let listener = Ip::V4.listener()?;
    let socket = Ip::V6.create()?;
    for address in disguised() {
        let address = (address, listener.address.port()).into();
        fails!(connect(&socket, address).await, InvalidArgument);
    }
    Ok(())
}

async fn an_invalid_address_does_not_use_the_socket_up(ip: Ip) -> Outcome {
    let listener = ip.listener()?;
    let socket = ip.create()?;
    fails!(
        connect(&socket, (ip.loopback(), 0).into()).await,
        InvalidArgument
    );
    connect(&socket, listener.address).await?;
    Ok(())
}

async fn a_bind_is_kept(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let socket = ip.bound()?;
    let bound = local(&socket)?;
    connect(&socket, listener.address).await?;
    same!(local(&socket)?, bound);
    same!(remote(&socket)?, listener.address);
    let accepted = listener.accept().await?;
    same!(remote(&accepted)?, bound);
    same!(local(&accepted)?, listener.address);
    Ok(())
}

async fn a_port_is_picked_where_there_was_no_bind(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let (accepted, client) = listener.pair().await?;
    let picked = local(&client)?;
    same!(picked.ip(), ip.loopback());
    ensure!(picked.port() != 0, "no port");
    same!(remote(&accepted)?, picked);
    Ok(())
}

async fn without_a_listener_a_connect_is_refused(ip: Ip) -> Outcome {
    let nobody = ip.bound()?;
    let address = local(&nobody)?;
    fails!(connect(&ip.create()?, address).await, ConnectionRefused);
    Ok(())
}

async fn a_socket_that_was_refused_is_closed(ip: Ip) -> Outcome {
    let nobody = ip.bound()?;
    let listener = ip.listener()?;
    let socket = ip.create()?;
    fails!(connect(&socket, local(&nobody)?).await, ConnectionRefused);
    fails!(connect(&socket, listener.address).await, InvalidState);
    fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
    fails!(socket.listen(), InvalidState);
    ensure!(!socket.get_is_listening(), "it listens");
    same!(socket.get_address_family(), ip.family());
    ensure!(local(&socket).is_err(), "it has a local address");
    ensure!(remote(&socket).is_err(), "it has a remote address");
    ensure!(socket.get_keep_alive_enabled().is_err(), "it has options");
    ensure!(
        socket.set_listen_backlog_size(1).is_err(),
        "it has a backlog"
    );
    let mut end = End::of(socket);
    same!(
        end.received.read(Vec::with_capacity(1)).await.0,
        StreamResult::Dropped
    );
    same!(end.to_send.write(vec![0]).await.0, StreamResult::Dropped);
    fails!(end.receive.await, ConnectionRefused);
    fails!(end.send.await, ConnectionRefused);
    Ok(())
}

async fn a_socket_can_connect_to_itself(ip: Ip) -> Outcome {
    let socket = ip.bound()?;
    let own = local(&socket)?;
    connect(&socket, own).await?;
    same!(remote(&socket)?, own);
    same!(local(&socket)?, own);
    let mut end = End::of(socket);
    end.write(b"to myself").await?;
    same!(end.read(9).await?, b"to myself");
    drop(end.to_send);
    ensure!(end.received.next().await.is_none(), "a byte");
    end.receive.await?;
    Ok(())
}

async fn a_socket_that_connects_takes_nothing_else(ip: Ip) -> Outcome {
    let listener = ip.listener()?;
    let socket = ip.bound()?;
    let mut connecting = pin!(connect(&socket, listener.address));
    ensure!(
        at_once(connecting.as_mut()).is_pending(),
        "it is connected at once"
    );
    nothing_can_be_done(ip, &socket, listener.address).await?;
    connecting.await?;
    same!(remote(&socket)?, listener.address);
    Ok(())
}

async fn a_connect_that_was_given_up_closes_the_socket(ip: Ip) -> Outcome {
    let listener = ip.listener()?;
    let socket = ip.bound()?;
    {
        let mut connecting = pin!(connect(&socket, listener.address));
        ensure!(
            at_once(connecting.as_mut()).is_pending(),
            "it is connected at once"
        );
    }
    nothing_can_be_done(ip, &socket, listener.address).await
}

async fn nothing_can_be_done(
    ip: Ip,
    socket: &wasi::sockets::types::TcpSocket,
    to: std::net::SocketAddr,
) -> Outcome {
    fails!(connect(socket, to).await, InvalidState);
    fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
    fails!(socket.listen(), InvalidState);
    fails!(local(socket), InvalidState);
    fails!(remote(socket), InvalidState);
    fails!(socket.set_listen_backlog_size(1), InvalidState);
    fails!(socket.get_keep_alive_enabled(), InvalidState);
    fails!(socket.set_hop_limit(1), InvalidState);
    ensure!(!socket.get_is_listening(), "it listens");
    same!(socket.get_address_family(), ip.family());
    let (mut received, receive) = socket.receive();
    same!(
        received.read(Vec::with_capacity(1)).await.0,
        StreamResult::Dropped
    );
    fails!(receive.await, InvalidState);
    Ok(())
}

use std::pin::pin;

use wit_bindgen::StreamResult;

use super::support::{Listener, connect, local, remote, wasi};
use super::{Ip, Outcome};
use crate::checks::{End, at_once};

checks! {
    without_a_bind_it_is_on_all_interfaces_and_a_picked_port
    a_bind_is_kept
    on_an_address_where_another_listens_it_is_refused
    what_is_accepted_is_connected
    several_connections_are_accepted
    asking_for_none_waits_for_one_and_takes_none
    accepting_that_was_given_up_takes_none
    its_stream_goes_on_without_the_socket
    what_was_accepted_goes_on_without_the_listener
    connects_are_refused_once_socket_and_stream_are_gone
    without_its_stream_it_goes_on_listening
    a_client_that_is_gone_already_is_accepted
    a_backlog_of_0_is_invalid_and_any_other_taken
}

async fn without_a_bind_it_is_on_all_interfaces_and_a_picked_port(ip: Ip) -> Outcome {
    let socket = ip.create()?;
    fails!(local(&socket), InvalidState);
    let mut listener = Listener::of(socket)?;
    same!(listener.address.ip(), ip.unspecified());
    ensure!(listener.address.port() != 0, "no port");
    listener.address.set_ip(ip.loopback());
    listener.pair().await?;
    Ok(())
}

async fn a_bind_is_kept(ip: Ip) -> Outcome {
    for address in [ip.loopback(), ip.unspecified()] {
        let socket = ip.create()?;
        socket.bind(wasi(address, 0))?;
        let bound = local(&socket)?;
        ensure!(!socket.get_is_listening(), "it listens before");
        let listener = Listener::of(socket)?;
        ensure!(listener.socket.get_is_listening(), "it does not listen");
        same!(listener.address, bound);
    }
    Ok(())
}

async fn on_an_address_where_another_listens_it_is_refused(ip: Ip) -> Outcome {
    let (first, second) = (ip.bound()?, ip.create()?);
    let address = local(&first)?;
    // Neither of the two listens yet.
    second.bind(wasi(address.ip(), address.port()))?;
    let _listening = Listener::of(first)?;
    fails!(second.listen(), AddressInUse);
    Ok(())
}

async fn what_is_accepted_is_connected(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let (accepted, client) = listener.pair().await?;
    same!(accepted.get_address_family(), ip.family());
    ensure!(!accepted.get_is_listening(), "it listens");
    same!(remote(&accepted)?, local(&client)?);
    same!(local(&accepted)?, listener.address);
    let (mut accepted, mut client) = (End::of(accepted), End::of(client));
    accepted.write(b"at once").await?;
    same!(client.read(7).await?, b"at once");
    Ok(())
}

async fn several_connections_are_accepted(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = ip.create()?;
        connect(&client, listener.address).await?;
        clients.push(client);
    }
    let mut accepted = Vec::new();
    while accepted.len() < clients.len() {
        let room = Vec::with_capacity(clients.len());
        let (result, sockets) = listener.connections.read(room).await;
        ensure!(matches!(result, StreamResult::Complete(1..)), "{result:?}");
        for socket in sockets {
            accepted.push(remote(&socket)?);
        }
    }
    let clients = clients.iter().map(local).collect::<Result<Vec<_>, _>>()?;
    same!(accepted, clients);
    Ok(())
}

async fn asking_for_none_waits_for_one_and_takes_none(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let address = listener.address;
    let client = ip.create()?;
    {
        let mut asking = pin!(listener.connections.read(Vec::new()));
        ensure!(at_once(asking.as_mut()).is_pending(), "nobody is there");
        connect(&client, address).await?;
        same!(asking.await.0, StreamResult::Complete(0));
    }
    same!(
        listener.connections.read(Vec::new()).await.0,
        StreamResult::Complete(0)
    );
    same!(remote(&listener.accept().await?)?, local(&client)?);
    Ok(())
}

async fn accepting_that_was_given_up_takes_none(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let address = listener.address;
    for _ in 0..10 {
        {
            let mut accepting = pin!(listener.connections.read(Vec::with_capacity(1)));
            ensure!(at_once(accepting.as_mut()).is_pending(), "nobody is there");
            same!(accepting.cancel().0, StreamResult::Cancelled);
        }
        let client = ip.create()?;
        connect(&client, address).await?;
        same!(remote(&listener.accept().await?)?, local(&client)?);
    }
    Ok(())
}

async fn its_stream_goes_on_without_the_socket(ip: Ip) -> Outcome {
    let Listener {
        socket,
        mut connections,
        address,
    } = ip.listener()?;
    drop(socket);
    for _ in 0..3 {
        let client = ip.create()?;
        connect(&client, address).await?;
        let accepted = connections.next().await.ok_or("the stream has ended")?;
        same!(remote(&accepted)?, local(&client)?);
    }
    let another = ip.create()?;
    fails!(
        another.bind(wasi(address.ip(), address.port())),
        AddressInUse
    );
    Ok(())
}

async fn what_was_accepted_goes_on_without_the_listener(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let (accepted, client) = listener.pair().await?;
    let address = listener.address;
    drop(listener);
    same!(local(&accepted)?, address);
    let (mut accepted, mut client) = (End::of(accepted), End::of(client));
    client.write(b"still there").await?;
    same!(accepted.read(11).await?, b"still there");
    Ok(())
}

async fn connects_are_refused_once_socket_and_stream_are_gone(ip: Ip) -> Outcome {
    let listener = ip.listener_to_close()?;
    let address = listener.address;
    drop(listener);
    fails!(connect(&ip.create()?, address).await, ConnectionRefused);
    let another = ip.create()?;
    another.bind(wasi(address.ip(), address.port()))?;
    same!(Listener::of(another)?.address, address);
    Ok(())
}

async fn without_its_stream_it_goes_on_listening(ip: Ip) -> Outcome {
    let Listener {
        socket,
        connections,
        address,
    } = ip.listener()?;
    drop(connections);
    ensure!(socket.get_is_listening(), "it does not listen");
    same!(local(&socket)?, address);
    fails!(socket.listen(), InvalidState);
    // The kernel's queue has room for the connection.
    connect(&ip.create()?, address).await?;
    Ok(())
}

async fn a_client_that_is_gone_already_is_accepted(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let client = ip.create()?;
    connect(&client, listener.address).await?;
    drop(client);
    let mut accepted = End::of(listener.accept().await?);
    ensure!(accepted.received.next().await.is_none(), "a byte");
    accepted.receive.await?;
    Ok(())
}

async fn a_backlog_of_0_is_invalid_and_any_other_taken(ip: Ip) -> Outcome {
    let socket = ip.bound()?;
    for backlog in [1, 32, u64::MAX] {
        socket.set_listen_backlog_size(backlog)?;
    }
    fails!(socket.set_listen_backlog_size(0), InvalidArgument);
    let mut listener = Listener::of(socket)?;
    for backlog in [u64::MAX, 32, 1] {
        listener.socket.set_listen_backlog_size(backlog)?;
    }
    fails!(listener.socket.set_listen_backlog_size(0), InvalidArgument);
    let (accepted, client) = listener.pair().await?;
    fails!(accepted.set_listen_backlog_size(32), InvalidState);
    fails!(client.set_listen_backlog_size(32), InvalidState);
    Ok(())
}

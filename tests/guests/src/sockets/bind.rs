use std::net::{IpAddr, SocketAddr};

use wasi::sockets::types::ErrorCode;

use super::support::{Listener, connect, disguised, free_port, local, wasi};
use super::{Ip, Outcome};
use crate::checks::End;

checks! {
    a_free_port_is_picked_where_none_is_asked_for
    a_port_that_is_asked_for_is_the_one
    an_address_where_another_listens_is_in_use
    a_bind_that_failed_can_be_tried_again
    an_address_of_another_machine_is_not_bindable
    an_address_of_the_other_family_is_invalid
    an_address_of_many_is_invalid
    an_ipv4_mapped_or_compatible_address_is_invalid
    an_address_that_ended_connections_hold_can_be_bound
    so_can_one_that_listening_had_picked
    a_wildcard_of_ipv6_leaves_ipv4_alone
}

async fn a_free_port_is_picked_where_none_is_asked_for(ip: Ip) -> Outcome {
    for address in [ip.loopback(), ip.unspecified()] {
        let socket = ip.create()?;
        socket.bind(wasi(address, 0))?;
        same!(local(&socket)?.ip(), address);
        ensure!(local(&socket)?.port() != 0, "no port");
    }
    Ok(())
}

async fn a_port_that_is_asked_for_is_the_one(ip: Ip) -> Outcome {
    let port = free_port()?;
    for address in [ip.loopback(), ip.unspecified()] {
        let socket = ip.create()?;
        socket.bind(wasi(address, port))?;
        same!(local(&socket)?, (address, port).into());
    }
    Ok(())
}

async fn an_address_where_another_listens_is_in_use(ip: Ip) -> Outcome {
    for address in [ip.loopback(), ip.unspecified()] {
        let first = ip.create()?;
        first.bind(wasi(address, 0))?;
        let first = Listener::of(first)?;
        let second = ip.create()?;
        let port = first.address.port();
        fails!(second.bind(wasi(address, port)), AddressInUse);
        fails!(second.bind(wasi(ip.loopback(), port)), AddressInUse);
    }
    Ok(())
}

async fn a_bind_that_failed_can_be_tried_again(ip: Ip) -> Outcome {
    let taken = ip.listener()?;
    let socket = ip.create()?;
    let in_use = wasi(ip.loopback(), taken.address.port());
    fails!(socket.bind(in_use), AddressInUse);
    fails!(socket.bind(wasi(ip.other().loopback(), 0)), InvalidArgument);
    fails!(local(&socket), InvalidState);
    socket.bind(wasi(ip.loopback(), 0))?;
    fails!(socket.bind(wasi(ip.loopback(), 0)), InvalidState);
    Ok(())
}

/// Addresses reserved for documentation.
async fn an_address_of_another_machine_is_not_bindable(ip: Ip) -> Outcome {
    let elsewhere: IpAddr = match ip {
        Ip::V4 => "192.0.2.1".parse()?,
        Ip::V6 => "2001:db8::1".parse()?,
    };
    fails!(ip.create()?.bind(wasi(elsewhere, 0)), AddressNotBindable);
    Ok(())
}

async fn an_address_of_the_other_family_is_invalid(ip: Ip) -> Outcome {
    for address in [ip.other().loopback(), ip.other().unspecified()] {
        fails!(ip.create()?.bind(wasi(address, 0)), InvalidArgument);
    }
    Ok(())
}

async fn an_address_of_many_is_invalid(ip: Ip) -> Outcome {
    for address in ip.many() {
        fails!(ip.create()?.bind(wasi(address, 0)), InvalidArgument);
    }
    Ok(())
}

async fn an_ipv4_mapped_or_compatible_address_is_invalid(ip: Ip) -> Outcome {
    for address in disguised() {
        fails!(ip.create()?.bind(wasi(address, 0)), InvalidArgument);
    }
    Ok(())
}

/// Makes a connection that the listener's side ends first. The kernel keeps that side in
/// TIME_WAIT.
async fn end_a_connection(ip: Ip, mut listener: Listener) -> Outcome {
    listener.address.set_ip(ip.loopback());
    let (accepted, client) = listener.pair().await?;
    let (accepted, mut client) = (End::of(accepted), End::of(client));
    drop((accepted, listener));
    ensure!(client.received.next().await.is_none(), "a byte");
    client.receive.await?;
    Ok(())
}

async fn an_address_that_ended_connections_hold_can_be_bound(ip: Ip) -> Outcome {
    let listener = ip.listener_to_close()?;
    let address = listener.address;
    end_a_connection(ip, listener).await?;
    listen_again(ip, address)?;
    Ok(())
}

async fn so_can_one_that_listening_had_picked(ip: Ip) -> Outcome {
    let mut tries = 0;
    loop {
        let listener = Listener::of(ip.create()?)?;
        let address = listener.address;
        end_a_connection(ip, listener).await?;
        match listen_again(ip, address) {
            // The kernel may have given the port to another program meanwhile. A
            // connection in TIME_WAIT would be in the way each time.
            Err(ErrorCode::AddressInUse) if tries < 20 => tries += 1,
            listening => {
                listening?;
                return Ok(());
            }
        }
    }
}

fn listen_again(ip: Ip, address: SocketAddr) -> Result<Listener, ErrorCode> {
    let again = ip.create()?;
    again.bind(wasi(address.ip(), address.port()))?;
    Listener::of(again)
}

async fn a_wildcard_of_ipv6_leaves_ipv4_alone(_: Ip) -> Outcome {
    let mut taken = 0;
    loop {
        let v6 = Listener::of(Ip::V6.create()?)?;
        let port = v6.address.port();
        // Another program may have the port in IPv4.
        let refused = connect(&Ip::V4.create()?, (Ip::V4.loopback(), port).into()).await;
        let v4 = Ip::V4.create()?;
        match v4.bind(wasi(Ip::V4.unspecified(), port)) {
            Err(ErrorCode::AddressInUse) if taken < 20 => taken += 1,
            bound => {
                bound?;
                fails!(refused, ConnectionRefused);
                same!(Listener::of(v4)?.address.port(), port);
                return Ok(());
            }
        }
    }
}

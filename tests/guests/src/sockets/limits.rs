//! Checks with a limit of ten sockets. Each socket counts as long as the program holds
//! some part of it, in every state.
//!
//! Further arguments: the port of a listener, and a port that refuses.

use std::net::SocketAddr;
use std::pin::pin;

use wasi::sockets::types::{ErrorCode, TcpSocket};
use wasi::wit_stream;
use wit_bindgen::StreamResult;

use super::support::{connect, pause};
use super::{Failure, Ip, Outcome};
use crate::checks::{End, at_once};

checks! {
    new_sockets_count
    bound_sockets_count
    listeners_count
    streams_of_connections_count_without_their_listener
    connected_sockets_count
    halves_that_receive_count_without_their_socket
    halves_that_send_count_without_their_socket
    sockets_that_connect_count
    sockets_that_gave_up_connecting_count
    sockets_that_were_refused_count
    sockets_that_were_denied_count
    accepted_sockets_count
    a_connection_that_was_only_asked_about_counts
    a_connection_beyond_the_limit_is_reset
    a_batch_takes_no_more_than_there_are
}

const LIMIT: usize = 10;

/// A port that the policy does not allow.
const DENIED: u16 = 47;

fn peer(ip: Ip, at: usize) -> Result<SocketAddr, Failure> {
    let port = asyncio_streams::args().nth(at);
    let port = port.ok_or("the ports are missing")?.parse()?;
    Ok((ip.loopback(), port).into())
}

async fn connected(ip: Ip) -> Result<TcpSocket, Failure> {
    let socket = ip.create()?;
    connect(&socket, peer(ip, 3)?).await?;
    Ok(socket)
}

/// Returns how many more sockets the program may create.
fn room(ip: Ip) -> Result<usize, Failure> {
    let mut more = Vec::new();
    loop {
        match ip.create() {
            Ok(socket) => more.push(socket),
            Err(ErrorCode::Other(Some(why))) if why == "limit of sockets reached" => {
                return Ok(more.len());
            }
            Err(code) => return Err(code.into()),
        }
    }
}

/// Makes so many parts, which have to reach the limit, and drops them, after which as
/// many have to fit again.
async fn fill<T>(ip: Ip, many: usize, make: impl AsyncFn() -> Result<T, Failure>) -> Outcome {
    let before = room(ip)?;
    for _ in 0..3 {
        let mut held = Vec::new();
        for _ in 0..many {
            held.push(make().await?);
        }
        same!(room(ip)?, 0);
        drop(held);
        while room(ip)? < before {
            pause().await;
        }
        same!(room(ip)?, before);
    }
    Ok(())
}

async fn new_sockets_count(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || Ok(ip.create()?)).await
}

async fn bound_sockets_count(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || Ok(ip.bound()?)).await
}

async fn listeners_count(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || Ok(ip.listener()?)).await
}

async fn streams_of_connections_count_without_their_listener(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || Ok(ip.listener()?.connections)).await
}

async fn connected_sockets_count(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || connected(ip).await).await
}

async fn halves_that_receive_count_without_their_socket(ip: Ip) -> Outcome {
    fill(ip, LIMIT, async || Ok(connected(ip).await?.receive().0)).await
}

async fn halves_that_send_count_without_their_socket(ip: Ip) -> Outcome {
    let sends = async || {
        let (to_send, data) = wit_stream::new();
        let end = connected(ip).await?.send(data);
        Ok((to_send, end))
    };
    fill(ip, LIMIT, sends).await
}

async fn sockets_that_connect_count(ip: Ip) -> Outcome {
    let connects = async || {
        let socket = ip.create()?;
        let to = peer(ip, 3)?;
        let mut connecting = Box::pin(async move { connect(&socket, to).await });
        ensure!(
            at_once(connecting.as_mut()).is_pending(),
            "it is connected at once"
        );
        Ok(connecting)
    };
    fill(ip, LIMIT, connects).await
}

async fn sockets_that_gave_up_connecting_count(ip: Ip) -> Outcome {
    let gives_up = async || {
        let socket = ip.create()?;
        let mut connecting = Box::pin(connect(&socket, peer(ip, 3)?));
        ensure!(
            at_once(connecting.as_mut()).is_pending(),
            "it is connected at once"
        );
        drop(connecting);
        Ok(socket)
    };
    fill(ip, LIMIT, gives_up).await
}

async fn sockets_that_were_refused_count(ip: Ip) -> Outcome {
    let refused = async || {
        let socket = ip.create()?;
        fails!(connect(&socket, peer(ip, 4)?).await, ConnectionRefused);
        Ok(socket)
    };
    fill(ip, LIMIT, refused).await
}

async fn sockets_that_were_denied_count(ip: Ip) -> Outcome {
    let denied = async || {
        let socket = ip.create()?;
        let to = (ip.loopback(), DENIED).into();
        fails!(connect(&socket, to).await, AccessDenied);
        Ok(socket)
    };
    fill(ip, LIMIT, denied).await
}

async fn accepted_sockets_count(ip: Ip) -> Outcome {
    // Pairs count twice, so one socket makes the rest even.
    let _one = ip.create()?;
    let listener = futures::lock::Mutex::new(ip.listener()?);
    fill(ip, 4, async || listener.lock().await.pair().await).await
}

async fn a_connection_that_was_only_asked_about_counts(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let client = ip.create()?;
    connect(&client, listener.address).await?;
    same!(room(ip)?, LIMIT - 2);
    let asked = listener.connections.read(Vec::new()).await.0;
    same!(asked, StreamResult::Complete(0));
    same!(room(ip)?, LIMIT - 3);
    let accepted = listener.accept().await?;
    same!(room(ip)?, LIMIT - 3);
    drop(accepted);
    same!(room(ip)?, LIMIT - 2);

    let other = ip.create()?;
    connect(&other, listener.address).await?;
    let asked = listener.connections.read(Vec::new()).await.0;
    same!(asked, StreamResult::Complete(0));
    same!(room(ip)?, LIMIT - 4);
    // A connection in the queue of a dropped listener does not count.
    drop(listener);
    while room(ip)? < LIMIT - 2 {
        pause().await;
    }
    Ok(())
}

async fn a_connection_beyond_the_limit_is_reset(ip: Ip) -> Outcome {
    let mut listener = ip.listener()?;
    let client = ip.create()?;
    let mut full = Vec::new();
    while room(ip)? > 0 {
        full.push(ip.create()?);
    }
    connect(&client, listener.address).await?;
    let mut client = End::of(client);
    {
        let mut accepting = pin!(listener.connections.read(Vec::with_capacity(1)));
        ensure!(at_once(accepting.as_mut()).is_pending(), "it was accepted");
        ensure!(client.received.next().await.is_none(), "a byte");
        same!(accepting.cancel().0, StreamResult::Cancelled);
    }
    fails!(client.receive.await, ConnectionReset);
    // The listener continues once there is room.
    drop(full);
    listener.pair().await?;
    Ok(())
}

async fn a_batch_takes_no_more_than_there_are(ip: Ip) -> Outcome {
    const CLIENTS: usize = 5;
    const LEFT: usize = 2;
    let mut listener = ip.listener()?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = ip.create()?;
        connect(&client, listener.address).await?;
        clients.push(End::of(client));
    }
    let mut others = Vec::new();
    while room(ip)? > LEFT {
        others.push(ip.create()?);
    }
    let (_, batch) = listener.connections.read(Vec::with_capacity(LIMIT)).await;
    same!(batch.len(), LEFT);
    same!(room(ip)?, 0);
    for (at, mut client) in clients.drain(LEFT..).enumerate() {
        ensure!(client.received.next().await.is_none(), "{at}: a byte");
        fails!(client.receive.await, ConnectionReset);
    }
    drop(batch);
    // The sockets of the clients that were reset are free as well.
    while room(ip)? < CLIENTS {
        pause().await;
    }
    Ok(())
}

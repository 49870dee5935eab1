//! Checks how halves of connections end, and the results of their futures.

use wasi::sockets::types::{ErrorCode, TcpSocket};
use wit_bindgen::StreamResult;

use guests::noise::pattern;

use super::support::{both, pause, write_until_dropped};
use super::{Ip, Outcome};
use crate::checks::{End, at_once, read};

checks! {
    the_end_of_the_sent_data_is_the_end_of_the_received_data
    a_half_that_is_under_way_has_no_result
    sending_ends_well_when_the_stream_is_dropped
    receiving_ends_well_when_the_stream_is_dropped
    a_connection_that_is_half_closed_goes_on_in_the_other_direction
    what_was_sent_before_all_was_dropped_is_delivered
    sending_to_one_that_is_gone_fails
    sending_to_one_that_no_longer_receives_fails
    a_reset_ends_receiving_with_an_error
    a_reset_ends_sending_with_an_error
    one_that_leaves_half_way_is_no_end
}

const MANY: usize = 2 << 20;

async fn the_end_of_the_sent_data_is_the_end_of_the_received_data(ip: Ip) -> Outcome {
    let (server, mut client) = ip.pair().await?;
    drop(server);
    let (result, bytes) = client.received.read(Vec::with_capacity(1)).await;
    same!((result, bytes), (StreamResult::Dropped, vec![]));
    client.receive.await?;
    Ok(())
}

async fn a_half_that_is_under_way_has_no_result(ip: Ip) -> Outcome {
    let (mut server, client) = ip.pair().await?;
    server.write(b"unread").await?;
    let mut receive = Box::pin(client.receive.into_future());
    let mut send = Box::pin(client.send.into_future());
    for _ in 0..5 {
        ensure!(
            at_once(receive.as_mut()).is_pending(),
            "receiving has ended"
        );
        ensure!(at_once(send.as_mut()).is_pending(), "sending has ended");
        pause().await;
    }
    drop((client.received, client.to_send));
    receive.await?;
    send.await?;
    Ok(())
}

async fn sending_ends_well_when_the_stream_is_dropped(ip: Ip) -> Outcome {
    let (mut server, client) = ip.pair().await?;
    drop(client.to_send);
    client.send.await?;
    ensure!(server.received.next().await.is_none(), "a byte");
    server.receive.await?;
    Ok(())
}

async fn receiving_ends_well_when_the_stream_is_dropped(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    server.write(&pattern(1000)).await?;
    client.read(1).await?;
    drop(client.received);
    client.receive.await?;
    Ok(())
}

async fn a_connection_that_is_half_closed_goes_on_in_the_other_direction(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    drop(client.to_send);
    client.send.await?;
    ensure!(server.received.next().await.is_none(), "a byte");
    for _ in 0..10 {
        server.write(b"still sent").await?;
        same!(read(&mut client.received, 10).await?, b"still sent");
        pause().await;
    }
    drop(server.to_send);
    server.send.await?;
    ensure!(client.received.next().await.is_none(), "a byte");
    client.receive.await?;
    Ok(())
}

async fn what_was_sent_before_all_was_dropped_is_delivered(ip: Ip) -> Outcome {
    let (server, mut client) = ip.pair().await?;
    let sending = async {
        client.write(&pattern(MANY)).await?;
        drop(client);
        Ok(())
    };
    let receiving = async {
        let received = server.received.collect().await;
        ensure!(received == pattern(MANY), "{} bytes", received.len());
        Ok(server.receive.await?)
    };
    both(sending, receiving).await
}

async fn sending_to_one_that_is_gone_fails(ip: Ip) -> Outcome {
    let (server, mut client) = ip.pair().await?;
    drop(server);
    write_until_dropped(&mut client.to_send).await;
    fails!(client.send.await, ConnectionBroken);
    Ok(())
}

/// The socket is kept, with both directions closed.
async fn sending_to_one_that_no_longer_receives_fails(ip: Ip) -> Outcome {
    let (server, mut client) = ip.pair().await?;
    let _kept = server.socket;
    drop((server.received, server.to_send));
    server.receive.await?;
    server.send.await?;
    ensure!(client.received.next().await.is_none(), "a byte");
    write_until_dropped(&mut client.to_send).await;
    fails!(client.send.await, ConnectionBroken);
    Ok(())
}

/// Makes one end of a connection that the other end has reset. The other end was closed
/// with unread bytes, before it had ended its data.
async fn reset(ip: Ip) -> Result<End<TcpSocket>, super::Failure> {
    let (accepted, client) = ip.listener()?.pair().await?;
    let mut client = End::of(client);
    client.write(b"unread").await?;
    let (mut received, _) = accepted.receive();
    same!(received.read(Vec::new()).await.0, StreamResult::Complete(0));
    drop((received, accepted));
    Ok(client)
}

async fn a_reset_ends_receiving_with_an_error(ip: Ip) -> Outcome {
    let mut client = reset(ip).await?;
    let (result, bytes) = client.received.read(Vec::with_capacity(1)).await;
    same!((result, bytes), (StreamResult::Dropped, vec![]));
    fails!(client.receive.await, ConnectionReset);
    // The kernel reports the error once.
    write_until_dropped(&mut client.to_send).await;
    fails!(client.send.await, ConnectionBroken);
    Ok(())
}

async fn a_reset_ends_sending_with_an_error(ip: Ip) -> Outcome {
    let mut client = reset(ip).await?;
    write_until_dropped(&mut client.to_send).await;
    fails!(client.send.await, ConnectionReset);
    Ok(())
}

async fn one_that_leaves_half_way_is_no_end(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    let sending = async {
        while client.to_send.write(pattern(MANY)).await.0 != StreamResult::Dropped {}
        match client.send.await {
            Err(ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken) => Ok(()),
            other => Err(format!("it ended with {other:?}").into()),
        }
    };
    let leaving = async {
        server.read(1000).await?;
        drop(server);
        Ok(())
    };
    both(sending, leaving).await
}

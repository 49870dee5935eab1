//! Checks the transfer of bytes.

use std::pin::pin;
use std::task::Poll;

use futures::future::try_join;
use wasi::wit_stream;
use wit_bindgen::StreamResult;

use guests::noise::pattern;

use super::support::{both, pause};
use super::{Ip, Outcome};
use crate::checks::{End, at_once};

checks! {
    bytes_go_there_and_back
    many_bytes_arrive_as_they_were_sent
    receiving_works_once
    sending_works_once
    streams_go_on_without_their_socket
    one_half_may_come_first
    asking_for_nothing_waits_for_bytes
    writing_nothing_asks_whether_there_is_room
    reading_that_was_given_up_takes_nothing
    many_cancelled_reads_lose_nothing
    cancelled_writes_lose_nothing_and_send_nothing_twice
}

const MANY: usize = 2 << 20;

async fn bytes_go_there_and_back(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    for n in 0..100 {
        let message = format!("message {n}").into_bytes();
        client.write(&message).await?;
        same!(server.read(message.len()).await?, message);
        server.write(&message).await?;
        same!(client.read(message.len()).await?, message);
    }
    Ok(())
}

async fn many_bytes_arrive_as_they_were_sent(ip: Ip) -> Outcome {
    let (mut server, client) = ip.pair().await?;
    let mut to_send = client.to_send;
    let sending = async {
        let rest = to_send.write_all(pattern(MANY)).await;
        ensure!(rest.is_empty(), "{} bytes were not taken", rest.len());
        drop(to_send);
        Ok(client.send.await?)
    };
    let (received, ()) = try_join(server.read(MANY), sending).await?;
    ensure!(received == pattern(MANY), "other bytes");
    Ok(())
}

async fn receiving_works_once(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    server.write(b"for the first").await?;
    for _ in 0..3 {
        let (mut received, end) = client.socket.receive();
        let (result, bytes) = received.read(Vec::with_capacity(10)).await;
        same!(result, StreamResult::Dropped);
        same!(bytes, b"");
        fails!(end.await, InvalidState);
    }
    same!(client.read(13).await?, b"for the first");
    Ok(())
}

async fn sending_works_once(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    for _ in 0..3 {
        let (mut to_send, data) = wit_stream::new();
        let end = client.socket.send(data);
        let (result, rest) = to_send.write(b"for nobody".to_vec()).await;
        same!(result, StreamResult::Dropped);
        same!(rest.into_vec(), b"for nobody");
        fails!(end.await, InvalidState);
    }
    client.write(b"by the first").await?;
    same!(server.read(12).await?, b"by the first");
    Ok(())
}

async fn streams_go_on_without_their_socket(ip: Ip) -> Outcome {
    let (server, client) = ip.pair().await?;
    drop((server.socket, client.socket));
    let (mut there, mut back) = (client.to_send, server.to_send);
    same!(there.write_all(b"there".to_vec()).await, b"");
    drop(there);
    client.send.await?;
    same!(server.received.collect().await, b"there");
    server.receive.await?;
    same!(back.write_all(b"back".to_vec()).await, b"");
    drop(back);
    server.send.await?;
    same!(client.received.collect().await, b"back");
    client.receive.await?;
    Ok(())
}

async fn one_half_may_come_first(ip: Ip) -> Outcome {
    let (mut server, client) = {
        let (accepted, client) = ip.listener()?.pair().await?;
        (End::of(accepted), client)
    };
    server.write(b"early").await?;
    let (mut to_send, data) = wit_stream::new();
    let _end = client.send(data);
    same!(to_send.write_all(b"first".to_vec()).await, b"");
    same!(server.read(5).await?, b"first");
    let (mut received, _end) = client.receive();
    let (result, bytes) = received.read(Vec::with_capacity(10)).await;
    same!(
        (result, bytes),
        (StreamResult::Complete(5), b"early".to_vec())
    );
    Ok(())
}

/// This holds also after a read that has taken all bytes.
async fn asking_for_nothing_waits_for_bytes(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    for _ in 0..3 {
        {
            let mut asking = pin!(client.received.read(Vec::new()));
            ensure!(at_once(asking.as_mut()).is_pending(), "there is nothing");
            server.write(b"a part").await?;
            same!(asking.await.0, StreamResult::Complete(0));
        }
        // A read of no bytes takes nothing.
        same!(
            client.received.read(Vec::new()).await.0,
            StreamResult::Complete(0)
        );
        let (result, bytes) = client.received.read(Vec::with_capacity(100)).await;
        same!(
            (result, bytes),
            (StreamResult::Complete(6), b"a part".to_vec())
        );
    }
    drop(server);
    same!(
        client.received.read(Vec::new()).await.0,
        StreamResult::Complete(0)
    );
    ensure!(client.received.next().await.is_none(), "a byte");
    Ok(())
}

async fn writing_nothing_asks_whether_there_is_room(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    same!(
        client.to_send.write(Vec::new()).await.0,
        StreamResult::Complete(0)
    );
    client.write(b"after nothing").await?;
    same!(server.read(13).await?, b"after nothing");
    Ok(())
}

async fn reading_that_was_given_up_takes_nothing(ip: Ip) -> Outcome {
    let (mut server, mut client) = ip.pair().await?;
    for n in 0..100_u8 {
        {
            let mut reading = pin!(client.received.read(Vec::with_capacity(10)));
            ensure!(at_once(reading.as_mut()).is_pending(), "there is nothing");
            same!(reading.cancel().0, StreamResult::Cancelled);
        }
        server.write(&[n]).await?;
        same!(client.read(1).await?, [n]);
    }
    Ok(())
}

async fn many_cancelled_reads_lose_nothing(ip: Ip) -> Outcome {
    let (mut server, client) = ip.pair().await?;
    client.socket.set_send_buffer_size(1024)?;
    let mut to_send = client.to_send;
    let sending = async {
        for part in pattern(MANY).chunks(251) {
            let rest = to_send.write_all(part.to_vec()).await;
            ensure!(rest.is_empty(), "{} bytes were not taken", rest.len());
        }
        drop(to_send);
        Ok(())
    };
    let receiving = async {
        let mut received = Vec::new();
        loop {
            let (result, bytes) = {
                let mut reading = pin!(server.received.read(Vec::with_capacity(1000)));
                match at_once(reading.as_mut()) {
                    Poll::Ready(read) => read,
                    Poll::Pending => reading.cancel(),
                }
            };
            received.extend(bytes);
            match result {
                StreamResult::Complete(_) => {}
                StreamResult::Dropped => break,
                StreamResult::Cancelled => drop(server.received.read(Vec::new()).await),
            }
        }
        ensure!(received == pattern(MANY), "other bytes");
        Ok(server.receive.await?)
    };
    both(sending, receiving).await
}

async fn cancelled_writes_lose_nothing_and_send_nothing_twice(ip: Ip) -> Outcome {
    let (server, mut client) = ip.pair().await?;
    client.socket.set_send_buffer_size(4096)?;
    let bytes = pattern(MANY);
    let receiving = async {
        let mut received = Vec::new();
        let mut data = server.received;
        // Reads in parts with pauses, so that the other side has to wait.
        loop {
            let (result, part) = data.read(Vec::with_capacity(50_000)).await;
            received.extend(part);
            if result == StreamResult::Dropped {
                break;
            }
            pause().await;
        }
        ensure!(received == pattern(MANY), "other bytes");
        Ok(())
    };
    let sending = async {
        let mut sent = 0;
        let mut cancelled = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            let (result, _) = {
                let mut writing = pin!(client.to_send.write(rest.to_vec()));
                match at_once(writing.as_mut()) {
                    Poll::Ready(written) => written,
                    Poll::Pending => writing.cancel(),
                }
            };
            match result {
                StreamResult::Complete(count) => sent += count,
                StreamResult::Cancelled => {
                    cancelled += 1;
                    drop(client.to_send.write(Vec::new()).await);
                }
                StreamResult::Dropped => return Err("the stream has ended".into()),
            }
        }
        ensure!(cancelled > 0, "no write had to wait");
        drop(client.to_send);
        Ok(client.send.await?)
    };
    both(receiving, sending).await
}

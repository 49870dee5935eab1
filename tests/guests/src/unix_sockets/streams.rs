//! Checks the transfer of bytes over pairs.

use std::pin::pin;

use futures::future::try_join;
use guests::noise::pattern;

use super::Folder;
use super::support::{SocketError, UnixSocket, pair};
use crate::checks::{End, Outcome, at_once};

checks! {
    bytes_go_there_and_back
    many_bytes_arrive_as_they_were_sent
    the_end_of_the_data_is_sent_and_the_other_half_goes_on
    streams_go_on_without_their_socket
    a_peer_that_stops_receiving_is_not_noticed
    a_peer_that_closes_breaks_sending
    send_nowait_takes_as_much_as_there_is_room_for
    receive_nowait_returns_the_bytes_that_have_come
    streams_begin_where_calls_without_waiting_have_stopped
    closing_with_unread_data_resets
}

const MANY: usize = 2 << 20;

async fn bytes_go_there_and_back(_: Folder) -> Outcome {
    let (mut one, mut other) = pair()?;
    for n in 0..100 {
        let message = format!("message {n}").into_bytes();
        one.write(&message).await?;
        same!(other.read(message.len()).await?, message);
        other.write(&message).await?;
        same!(one.read(message.len()).await?, message);
    }
    Ok(())
}

async fn many_bytes_arrive_as_they_were_sent(_: Folder) -> Outcome {
    let (mut one, other) = pair()?;
    let mut to_send = other.to_send;
    let sending = async {
        let rest = to_send.write_all(pattern(MANY)).await;
        ensure!(rest.is_empty(), "{} bytes were not taken", rest.len());
        drop(to_send);
        Ok(other.send.await?)
    };
    let (received, ()) = try_join(one.read(MANY), sending).await?;
    ensure!(received == pattern(MANY), "other bytes");
    Ok(())
}

async fn the_end_of_the_data_is_sent_and_the_other_half_goes_on(_: Folder) -> Outcome {
    let (mut one, mut other) = pair()?;
    one.write(b"all").await?;
    drop(one.to_send);
    one.send.await?;
    same!(other.received.collect().await, b"all");
    other.receive.await?;
    same!(other.to_send.write_all(b"more".to_vec()).await, b"");
    same!(one.received.read(Vec::with_capacity(100)).await.1, b"more");
    Ok(())
}

async fn streams_go_on_without_their_socket(_: Folder) -> Outcome {
    let (one, other) = pair()?;
    drop((one.socket, other.socket));
    let mut to_send = one.to_send;
    same!(to_send.write_all(b"there".to_vec()).await, b"");
    drop(to_send);
    one.send.await?;
    same!(other.received.collect().await, b"there");
    other.receive.await?;
    Ok(())
}

async fn a_peer_that_stops_receiving_is_not_noticed(_: Folder) -> Outcome {
    let (mut one, mut other) = pair()?;
    drop(one.received);
    one.receive.await?;
    for _ in 0..3 {
        other.write(b"for nobody").await?;
    }
    same!(one.to_send.write_all(b"still".to_vec()).await, b"");
    same!(other.read(5).await?, b"still");
    Ok(())
}

async fn a_peer_that_closes_breaks_sending(_: Folder) -> Outcome {
    let (mut one, other) = pair()?;
    drop(other);
    ensure!(one.received.next().await.is_none(), "a byte");
    one.receive.await?;
    // The kernel refuses the first of the bytes.
    let mut to_send = one.to_send;
    let rest = to_send.write_all(b"for nobody".to_vec()).await;
    same!(rest, b"for nobody");
    fails!(one.send.await, SocketError::ConnectionBroken);
    Ok(())
}

async fn send_nowait_takes_as_much_as_there_is_room_for(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    let sent = pattern(MANY);
    let mut count = 0;
    loop {
        let rest = sent.get(count..).unwrap_or_default();
        ensure!(!rest.is_empty(), "there is no end of the room");
        match one.send_nowait(rest)? {
            0 => break,
            taken => count += usize::try_from(taken)?,
        }
    }
    ensure!(count > 0, "nothing was taken");
    let mut other = End::of(other);
    ensure!(
        Some(other.read(count).await?.as_slice()) == sent.get(..count),
        "other bytes"
    );
    same!(one.send_nowait(b"")?, 0);
    drop(other);
    fails!(one.send_nowait(b"x"), SocketError::ConnectionBroken);
    Ok(())
}

async fn receive_nowait_returns_the_bytes_that_have_come(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    same!(one.receive_nowait(10)?, None);
    other.send_nowait(b"abcdef")?;
    same!(one.receive_nowait(4)?, Some(b"abcd".to_vec()));
    same!(one.receive_nowait(u64::MAX)?, Some(b"ef".to_vec()));
    same!(one.receive_nowait(10)?, None);
    drop(other);
    for _ in 0..2 {
        same!(one.receive_nowait(10)?, Some(Vec::new()));
    }
    Ok(())
}

async fn streams_begin_where_calls_without_waiting_have_stopped(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    other.send_nowait(b"first, ")?;
    same!(one.receive_nowait(3)?, Some(b"fir".to_vec()));
    let (mut one, mut other) = (End::of(one), End::of(other));
    same!(one.read(4).await?, b"st, ");
    {
        let mut reading = pin!(one.read(6));
        ensure!(at_once(reading.as_mut()).is_pending(), "it does not wait");
        other.write(b"second").await?;
        same!(reading.await?, b"second");
    }
    Ok(())
}

async fn closing_with_unread_data_resets(_: Folder) -> Outcome {
    let (one, other) = UnixSocket::pair()?;
    other.send_nowait(b"unread")?;
    drop(one);
    fails!(other.receive_nowait(10), SocketError::ConnectionReset);
    Ok(())
}

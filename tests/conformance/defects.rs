//! Checks of defects that users of asyncio have reported. Those of servers are in
//! `serving.rs`.

use std::pin::pin;

use futures::future::{join, join3};

use super::super::net::{ReadError, WriteError};
use super::super::read_or_give_up;
use super::{
    LIMIT, Maker, Peer, cancelled, checks, pause, read_lost, stuff, until, waits, write_lost,
};

checks! {
    p1_the_reply_that_came_with_the_reset_can_be_read
    p3_a_wait_for_the_end_can_be_given_up_and_the_end_be_forced
    p4_parallel_drains_end_together_or_fail_together
    p5_a_write_arrives_or_is_an_error
    p6_no_request_can_be_smuggled_in_behind_an_over_long_line
    p7_reads_that_are_given_up_again_and_again_lose_nothing
    p10_a_write_costs_the_same_however_much_waits
    p10_an_empty_piece_does_not_keep_the_connection_open
}

async fn p1_the_reply_that_came_with_the_reset_can_be_read(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    // The server refuses an upload, says why, and resets.
    writer.write("PUT /large HTTP/1.1\r\n\r\n").unwrap();
    peer.send(b"413 Content Too Large\r\n").await;
    until(|| reader.buffered() > 0).await;
    peer.reset(&writer).await;
    while writer.write([b'x'; 10_000]).is_ok() {
        pause().await;
    }
    write_lost(writer.drain().await);
    let reply = reader.readline().await.unwrap();
    assert_eq!(reply, "413 Content Too Large\r\n");
    read_lost(reader.readline().await);
}

async fn p3_a_wait_for_the_end_can_be_given_up_and_the_end_be_forced(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    writer.close();
    let mut patient = pin!(writer.wait_closed());
    waits(patient.as_mut()).await;
    for _ in 0..3 {
        cancelled(writer.wait_closed()).await;
    }
    waits(patient.as_mut()).await;
    writer.transport().abort();
    patient.await.unwrap();
    writer.wait_closed().await.unwrap();
}

async fn p4_parallel_drains_end_together_or_fail_together(maker: &impl Maker) {
    for lost in [false, true] {
        let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
        let written = stuff(&writer).await;
        let mut drains = pin!(join3(writer.drain(), writer.drain(), writer.drain()));
        waits(drains.as_mut()).await;
        if lost {
            writer.transport().abort();
            let aborted = Err(WriteError::Aborted);
            assert_eq!(drains.await, (aborted.clone(), aborted.clone(), aborted));
        } else {
            let (received, drained) = join(peer.receive(written), drains).await;
            assert_eq!(received.len(), written);
            assert_eq!(drained, (Ok(()), Ok(()), Ok(())));
        }
    }
}

async fn p5_a_write_arrives_or_is_an_error(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let stuffed = stuff(&writer).await;
    let mut accepted = Vec::new();
    for n in 0..200_u8 {
        if n == 100 {
            writer.close();
        }
        match writer.write([n]) {
            Ok(()) => accepted.push(n),
            Err(error) => assert_eq!(error, WriteError::Closed),
        }
    }
    assert_eq!(accepted.len(), 100);
    let received = peer.receive(usize::MAX).await;
    assert_eq!(received[stuffed..], accepted);
}

async fn p6_no_request_can_be_smuggled_in_behind_an_over_long_line(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(16).await;
    let mut request = vec![b'A'; 40];
    request.extend_from_slice(b"DELETE /all\n");
    request.extend_from_slice(b"GET /\n");
    for piece in request.chunks(7) {
        peer.send(piece).await;
    }
    peer.finish().await;
    let mut lines = Vec::new();
    loop {
        match reader.readline().await {
            Ok(line) if line.is_empty() => break,
            Ok(line) => lines.push(line),
            Err(ReadError::LimitOverrun { .. }) => {
                assert_eq!(reader.discard_line().await.unwrap(), 52);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(lines, ["GET /\n"]);
}

async fn p7_reads_that_are_given_up_again_and_again_lose_nothing(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    let sent: Vec<u8> = (0..200_u8).collect();
    let sending = async {
        for byte in &sent {
            peer.send(&[*byte]).await;
        }
        peer.finish().await;
    };
    let reading = async {
        let mut received = Vec::new();
        loop {
            match read_or_give_up(&reader, 10).await {
                None => pause().await,
                Some(bytes) if bytes.is_empty() => return received,
                Some(bytes) => received.extend_from_slice(&bytes),
            }
        }
    };
    let ((), received) = join(sending, reading).await;
    assert_eq!(received, sent);
}

async fn p10_a_write_costs_the_same_however_much_waits(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let stuffed = stuff(&writer).await;
    for n in 0..20_000_usize {
        let before = writer.transport().get_write_buffer_size();
        writer.write([n as u8; 3]).unwrap();
        assert_eq!(writer.transport().get_write_buffer_size(), before + 3);
    }
    writer.close();
    assert_eq!(peer.receive(usize::MAX).await.len(), stuffed + 60_000);
}

async fn p10_an_empty_piece_does_not_keep_the_connection_open(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.writelines([&b"last"[..], b""]).unwrap();
    writer.close();
    assert_eq!(peer.receive(usize::MAX).await, b"last");
    writer.wait_closed().await.unwrap();
}

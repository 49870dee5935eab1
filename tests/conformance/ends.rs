//! Checks of how connections end: by either side, with or without an error, in every state.

use std::pin::pin;

use futures::future::join;

use super::super::net::ReadError;
use super::{
    LIMIT, Maker, Peer, cancelled, checks, is_lost, overrun, pause, read_lost, stuff, truncated,
    until, waits, write_lost,
};

checks! {
    rd17_bytes_that_arrived_before_a_reset_are_read_and_then_the_error
    rd1_a_read_to_the_end_that_meets_a_reset_is_an_error_with_the_bytes
    rd15_after_a_loss_the_data_have_not_ended
    rd25_after_close_what_is_buffered_can_be_read_and_then_the_data_end
    rd25_close_and_abort_end_a_waiting_read
    rd25_while_close_still_sends_the_data_have_not_ended
    wr15_close_sends_what_waits_in_the_background_and_may_be_called_twice
    wr16_is_closing_after_close_abort_or_a_loss_and_not_after_the_peers_end
    wr17_wait_closed_waits_for_the_end_and_says_how_it_came
    wr18_any_number_may_wait_for_the_end_and_giving_up_harms_nobody
    wr19_a_peer_that_never_reads_keeps_wait_closed_waiting_until_abort
    tr8_after_the_peers_end_writing_goes_on
    dropping_the_last_handle_closes_after_sending
    a_handle_that_is_left_keeps_the_connection
    a_reset_ends_a_waiting_read
    a_reset_after_write_eof_is_noticed
    a_reset_after_a_write_eof_that_nobody_receives_is_noticed
    a_reset_while_closing_is_the_answer_of_wait_closed
    a_reset_after_the_peers_end_is_noticed_by_writing
    a_reset_while_paused_is_noticed_after_resuming
    a_reset_while_paused_that_writing_meets_is_no_end_of_the_data
    a_reset_while_the_buffer_is_full_loses_nothing_that_was_read
}

async fn rd17_bytes_that_arrived_before_a_reset_are_read_and_then_the_error(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(4).await;
    peer.send(b"a\nbcdefgh").await;
    until(|| reader.buffered() == 9).await;
    // The limit pauses receiving; the reset is seen once there is room again.
    assert_eq!(reader.read(2).await.unwrap(), "a\n");
    assert_eq!(overrun(reader.readline().await), (7, false));
    assert_eq!(reader.readexactly(3).await.unwrap(), "bcd");
    peer.reset(&writer).await;
    until(|| writer.is_closing()).await;
    // A read that the buffer cannot satisfy returns the error and leaves the bytes.
    read_lost(reader.readline().await);
    read_lost(reader.readuntil("--").await);
    read_lost(reader.readexactly(5).await);
    assert_eq!(reader.buffered(), 4);
    assert_eq!(reader.readexactly(1).await.unwrap(), "e");
    assert_eq!(reader.read(2).await.unwrap(), "fg");
    assert_eq!(reader.read(0).await.unwrap(), "");
    assert_eq!(truncated(reader.read_to_end().await), b"h");
    read_lost(reader.read_to_end().await);
    read_lost(reader.read(1).await);
    assert_eq!(reader.read(0).await.unwrap(), "", "asks for nothing");
}

async fn rd1_a_read_to_the_end_that_meets_a_reset_is_an_error_with_the_bytes(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"a part").await;
    until(|| reader.buffered() == 6).await;
    let mut read = pin!(reader.read_to_end());
    waits(read.as_mut()).await;
    peer.reset(&writer).await;
    assert_eq!(truncated(read.await), b"a part");
    assert!(!reader.at_eof());
    read_lost(reader.read_to_end().await);
    read_lost(reader.read(1).await);
}

async fn rd15_after_a_loss_the_data_have_not_ended(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.reset(&writer).await;
    until(|| writer.is_closing()).await;
    read_lost(reader.read(1).await);
    assert!(!reader.at_eof());
}

async fn rd25_after_close_what_is_buffered_can_be_read_and_then_the_data_end(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"abc").await;
    until(|| reader.buffered() == 3).await;
    writer.close();
    assert_eq!(reader.read(2).await.unwrap(), "ab");
    let short = super::incomplete(reader.readexactly(2).await);
    assert_eq!(short, (b"c".to_vec(), Some(2)));
    assert_eq!(reader.readline().await.unwrap(), "");
    assert!(reader.at_eof());
}

async fn rd25_close_and_abort_end_a_waiting_read(maker: &impl Maker) {
    let (reader, writer, _peer) = maker.pair(LIMIT).await;
    let mut read = pin!(reader.read(1));
    waits(read.as_mut()).await;
    writer.close();
    assert_eq!(read.await.unwrap(), "");

    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"ab").await;
    until(|| reader.buffered() == 2).await;
    let mut read = pin!(reader.readexactly(5));
    waits(read.as_mut()).await;
    writer.transport().abort();
    let short = super::incomplete(read.await);
    assert_eq!(short, (b"ab".to_vec(), Some(5)));
}

async fn rd25_while_close_still_sends_the_data_have_not_ended(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    let mut read = pin!(reader.read(1));
    waits(read.as_mut()).await;
    writer.close();
    waits(read.as_mut()).await;
    assert!(!reader.at_eof());
    let (received, read) = join(peer.receive(written), read).await;
    assert_eq!(received.len(), written);
    assert_eq!(read.unwrap(), "");
}

async fn wr15_close_sends_what_waits_in_the_background_and_may_be_called_twice(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    writer.close();
    writer.close();
    let mut received = 0;
    while received < written {
        let got = peer.receive(100_000.min(written - received)).await.len();
        assert!(got > 0, "{received} of {written} bytes arrived");
        received += got;
    }
    assert_eq!(peer.receive(1).await, b"");
    writer.wait_closed().await.unwrap();
    writer.close();
}

async fn wr16_is_closing_after_close_abort_or_a_loss_and_not_after_the_peers_end(
    maker: &impl Maker,
) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    assert!(!writer.is_closing());
    peer.finish().await;
    assert_eq!(reader.read(1).await.unwrap(), "");
    assert!(!writer.is_closing());
    writer.close();
    assert!(writer.is_closing());
    writer.wait_closed().await.unwrap();
    assert!(writer.is_closing());

    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    writer.transport().abort();
    assert!(writer.is_closing());

    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.reset(&writer).await;
    until(|| writer.is_closing()).await;
}

async fn wr17_wait_closed_waits_for_the_end_and_says_how_it_came(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let mut early = pin!(writer.wait_closed());
    waits(early.as_mut()).await;
    peer.finish().await;
    waits(early.as_mut()).await;
    writer.close();
    early.await.unwrap();
    writer.wait_closed().await.unwrap();

    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.reset(&writer).await;
    let lost = writer.wait_closed().await.unwrap_err();
    assert!(is_lost(&lost), "{lost:?}");
    assert_eq!(writer.wait_closed().await, Err(lost.clone()));
    writer.close();
    assert_eq!(writer.wait_closed().await, Err(lost));
}

async fn wr18_any_number_may_wait_for_the_end_and_giving_up_harms_nobody(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    let mut first = pin!(writer.wait_closed());
    waits(first.as_mut()).await;
    cancelled(writer.wait_closed()).await;
    let mut second = pin!(writer.wait_closed());
    waits(second.as_mut()).await;
    writer.close();
    let (first, second) = join(first, second).await;
    first.unwrap();
    second.unwrap();
    writer.wait_closed().await.unwrap();
}

async fn wr19_a_peer_that_never_reads_keeps_wait_closed_waiting_until_abort(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    writer.close();
    let mut closed = pin!(writer.wait_closed());
    waits(closed.as_mut()).await;
    writer.transport().abort();
    closed.await.unwrap();
}

async fn tr8_after_the_peers_end_writing_goes_on(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"question").await;
    peer.finish().await;
    assert_eq!(reader.read_to_end().await.unwrap(), "question");
    writer.write("answer").unwrap();
    writer.drain().await.unwrap();
    assert_eq!(peer.receive(6).await, b"answer");
    writer.close();
    assert_eq!(peer.receive(1).await, b"");
}

async fn dropping_the_last_handle_closes_after_sending(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    drop(reader);
    drop(writer);
    assert_eq!(peer.receive(usize::MAX).await.len(), written);
}

async fn a_handle_that_is_left_keeps_the_connection(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    drop(writer);
    peer.send(b"still").await;
    assert_eq!(reader.readexactly(5).await.unwrap(), "still");
    drop(reader);
    assert_eq!(peer.receive(1).await, b"");

    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    drop(reader);
    writer.write("still").unwrap();
    assert_eq!(peer.receive(5).await, b"still");
    drop(writer);
    assert_eq!(peer.receive(1).await, b"");
}

async fn a_reset_ends_a_waiting_read(maker: &impl Maker) {
    for way in 0..4 {
        let (reader, writer, mut peer) = maker.pair(LIMIT).await;
        let mut read = pin!(async {
            match way {
                0 => reader.read(1).await,
                1 => reader.readexactly(5).await,
                2 => reader.readline().await,
                _ => reader.read_to_end().await,
            }
        });
        waits(read.as_mut()).await;
        peer.reset(&writer).await;
        read_lost(read.await);
    }
}

async fn a_reset_after_write_eof_is_noticed(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.stay().await;
    writer.write_eof().unwrap();
    assert_eq!(peer.receive(1).await, b"");
    peer.reset(&writer).await;
    read_lost(reader.read(1).await);
    assert!(writer.is_closing());
    assert!(is_lost(&writer.wait_closed().await.unwrap_err()));
}

async fn a_reset_after_a_write_eof_that_nobody_receives_is_noticed(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.ignore().await;
    writer.write("unread").unwrap();
    writer.write_eof().unwrap();
    until(|| writer.transport().get_write_buffer_size() == 0).await;
    peer.reset(&writer).await;
    read_lost(reader.read(1).await);
    assert!(writer.is_closing());
    assert!(is_lost(&writer.wait_closed().await.unwrap_err()));
}

async fn a_reset_while_closing_is_the_answer_of_wait_closed(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    writer.close();
    let mut closed = pin!(writer.wait_closed());
    waits(closed.as_mut()).await;
    peer.reset(&writer).await;
    assert!(is_lost(&closed.await.unwrap_err()));
}

async fn a_reset_after_the_peers_end_is_noticed_by_writing(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.finish().await;
    assert_eq!(reader.read(1).await.unwrap(), "");
    peer.reset(&writer).await;
    while writer.write("anybody there?").is_ok() {
        pause().await;
    }
    write_lost(writer.drain().await);
    assert!(reader.at_eof(), "the end stays the end");
    assert!(is_lost(&writer.wait_closed().await.unwrap_err()));
}

async fn a_reset_while_paused_is_noticed_after_resuming(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.transport().pause_reading();
    peer.reset(&writer).await;
    let mut read = pin!(reader.read(1));
    waits(read.as_mut()).await;
    writer.transport().resume_reading();
    read_lost(read.await);
}

async fn a_reset_while_paused_that_writing_meets_is_no_end_of_the_data(maker: &impl Maker) {
    for by_hand in [true, false] {
        let (reader, writer, mut peer) = maker.pair(1).await;
        peer.send(b"a\nb").await;
        until(|| reader.buffered() == 3).await;
        if by_hand {
            writer.transport().pause_reading();
        }
        until(|| !writer.transport().is_reading()).await;
        peer.reset(&writer).await;
        while writer.write("anybody there?").is_ok() {
            pause().await;
        }
        assert_eq!(reader.readline().await.unwrap(), "a\n");
        read_lost(reader.readline().await);
        assert_eq!(reader.read(10).await.unwrap(), "b");
        read_lost(reader.read(10).await);
        assert!(!reader.at_eof());
    }
}

async fn a_reset_while_the_buffer_is_full_loses_nothing_that_was_read(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(10).await;
    peer.send(&[b'x'; 100]).await;
    until(|| reader.buffered() == 100).await;
    until(|| !writer.transport().is_reading()).await;
    peer.reset(&writer).await;
    let mut received = Vec::new();
    let error = loop {
        match reader.read(7).await {
            Ok(bytes) => received.extend_from_slice(&bytes),
            Err(error) => break error,
        }
    };
    assert_eq!(received, [b'x'; 100]);
    assert!(matches!(error, ReadError::Connection(code) if is_lost(&code)));
}

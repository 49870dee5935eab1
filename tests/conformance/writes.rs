//! Checks of writing, and of when it waits.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures::future::join;

use super::super::net::{WaterMarks, WriteError};
use super::super::spawn;
use super::{LIMIT, Maker, Peer, cancelled, checks, pause, stuff, until, waits, write_lost};

checks! {
    wr1_a_write_returns_at_once_and_the_bytes_arrive_in_order
    wr1_what_was_written_is_a_copy_that_later_changes_do_not_touch
    wr2_writing_after_write_eof_is_an_error_even_of_nothing
    wr3_writing_after_close_is_an_error_and_what_was_written_before_arrives
    wr4_writing_after_close_is_an_error_also_while_bytes_still_wait
    wr5_writelines_takes_any_iterable_all_of_it_or_none
    wr6_drain_returns_at_once_below_the_mark
    wr7_drain_waits_above_the_high_mark_and_until_the_low_one
    wr8_any_number_may_wait_in_drain
    wr9_drain_is_fine_while_closing_and_an_error_once_closed_or_lost
    wr10_a_drain_that_abort_cut_short_is_an_error
    wr11_a_reset_ends_a_waiting_drain_with_an_error
    wr12_a_loop_of_writes_and_drains_lets_others_run
    wr13_the_end_can_be_written
    wr14_write_eof_sends_what_waits_then_the_end_and_reading_goes_on
    wr14_write_eof_twice_or_after_close_does_nothing
    wr22_after_a_failed_send_every_write_is_an_error
    a_cancelled_drain_harms_nothing
    send_writes_then_drains
    a_send_that_is_cancelled_has_written_its_bytes_once
    a_send_that_is_refused_has_written_nothing
    a_thousand_writes_to_a_peer_that_does_not_read_are_kept_in_order
    a_peer_that_never_reads_stops_drain_and_nothing_else
    writes_beyond_the_hard_limit_are_refused
}

async fn wr1_a_write_returns_at_once_and_the_bytes_arrive_in_order(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("").unwrap();
    for n in 0..100_u8 {
        writer.write([n; 10]).unwrap();
    }
    let expected: Vec<u8> = (0..100_u8).flat_map(|n| [n; 10]).collect();
    assert_eq!(peer.receive(1000).await, expected);
}

async fn wr1_what_was_written_is_a_copy_that_later_changes_do_not_touch(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let mut data = b"first".to_vec();
    writer.write(&data).unwrap();
    data.copy_from_slice(b"later");
    writer.write(&data).unwrap();
    assert_eq!(peer.receive(10).await, b"firstlater");
}

async fn wr2_writing_after_write_eof_is_an_error_even_of_nothing(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("all").unwrap();
    writer.write_eof().unwrap();
    assert_eq!(writer.write("more"), Err(WriteError::EofWritten));
    assert_eq!(writer.write(""), Err(WriteError::EofWritten));
    assert_eq!(writer.writelines(["more"]), Err(WriteError::EofWritten));
    assert_eq!(peer.receive(100).await, b"all");
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(writer.write("more"), Err(WriteError::EofWritten));
    assert_eq!(writer.drain().await, Err(WriteError::Closed));
}

async fn wr3_writing_after_close_is_an_error_and_what_was_written_before_arrives(
    maker: &impl Maker,
) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("before").unwrap();
    writer.close();
    assert_eq!(writer.write("after"), Err(WriteError::Closed));
    writer.wait_closed().await.unwrap();
    assert_eq!(writer.write("after"), Err(WriteError::Closed));
    assert_eq!(peer.receive(100).await, b"before");
}

async fn wr4_writing_after_close_is_an_error_also_while_bytes_still_wait(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    writer.close();
    assert!(writer.transport().get_write_buffer_size() > 0);
    assert_eq!(writer.write("after"), Err(WriteError::Closed));
    assert_eq!(peer.receive(usize::MAX).await.len(), written);
    writer.wait_closed().await.unwrap();
}

async fn wr5_writelines_takes_any_iterable_all_of_it_or_none(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.writelines(["a", "", "b"]).unwrap();
    writer.writelines((0..3).map(|n| n.to_string())).unwrap();
    writer.writelines(Vec::<Vec<u8>>::new()).unwrap();
    writer.close();
    assert_eq!(writer.writelines(["x", "y"]), Err(WriteError::Closed));
    assert_eq!(peer.receive(100).await, b"ab012");
}

async fn wr6_drain_returns_at_once_below_the_mark(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.drain().await.unwrap();
    writer.write("abc").unwrap();
    writer.drain().await.unwrap();
    assert_eq!(peer.receive(3).await, b"abc");
}

async fn wr7_drain_waits_above_the_high_mark_and_until_the_low_one(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    transport
        .set_write_buffer_limits(WaterMarks::from_high(1 << 30))
        .unwrap();
    let written = stuff(&writer).await;
    let waiting = transport.get_write_buffer_size();
    transport
        .set_write_buffer_limits(WaterMarks {
            high: waiting,
            low: 100,
        })
        .unwrap();
    writer.drain().await.unwrap();
    writer.write("x").unwrap();
    let mut drain = pin!(writer.drain());
    waits(drain.as_mut()).await;
    let mut received = 0;
    while futures::poll!(drain.as_mut()).is_pending() {
        received += peer
            .receive(100_000.min(written + 1 - received))
            .await
            .len();
        pause().await;
    }
    assert!(transport.get_write_buffer_size() <= 100);
    peer.receive(written + 1 - received).await;
}

async fn wr8_any_number_may_wait_in_drain(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    let mut first = pin!(writer.drain());
    let mut second = pin!(writer.drain());
    waits(first.as_mut()).await;
    waits(second.as_mut()).await;
    let (received, (first, second)) = join(peer.receive(written), join(first, second)).await;
    assert_eq!(received.len(), written);
    first.unwrap();
    second.unwrap();
}

async fn wr9_drain_is_fine_while_closing_and_an_error_once_closed_or_lost(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("abc").unwrap();
    writer.close();
    writer.drain().await.unwrap();
    writer.wait_closed().await.unwrap();
    assert_eq!(writer.drain().await, Err(WriteError::Closed));
    assert_eq!(peer.receive(10).await, b"abc");

    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.reset(&writer).await;
    until(|| writer.is_closing()).await;
    write_lost(writer.drain().await);
    write_lost(writer.drain().await);
}

async fn wr10_a_drain_that_abort_cut_short_is_an_error(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    let mut drain = pin!(writer.drain());
    waits(drain.as_mut()).await;
    writer.transport().abort();
    assert_eq!(drain.await, Err(WriteError::Aborted));
    assert_eq!(writer.drain().await, Err(WriteError::Aborted));
    assert_eq!(writer.write("x"), Err(WriteError::Aborted));
    writer.wait_closed().await.unwrap();
}

async fn wr11_a_reset_ends_a_waiting_drain_with_an_error(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    let mut drain = pin!(writer.drain());
    waits(drain.as_mut()).await;
    peer.reset(&writer).await;
    write_lost(drain.await);
}

async fn wr12_a_loop_of_writes_and_drains_lets_others_run(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let had_a_turn = Rc::new(Cell::new(false));
    let other = had_a_turn.clone();
    spawn(async move { other.set(true) });
    for _ in 0..1000 {
        writer.write("x").unwrap();
        writer.drain().await.unwrap();
    }
    assert!(had_a_turn.get(), "1000 drains and no other task ran");
    assert_eq!(peer.receive(1000).await, [b'x'; 1000]);
}

async fn wr13_the_end_can_be_written(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    assert!(writer.can_write_eof());
}

async fn wr14_write_eof_sends_what_waits_then_the_end_and_reading_goes_on(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.stay().await;
    let written = stuff(&writer).await;
    writer.write_eof().unwrap();
    assert!(!writer.is_closing());
    assert_eq!(peer.receive(usize::MAX).await.len(), written);
    peer.send(b"answer").await;
    peer.finish().await;
    assert_eq!(reader.read_to_end().await.unwrap(), "answer");
    assert!(!writer.is_closing());
    writer.close();
    writer.wait_closed().await.unwrap();
}

async fn wr14_write_eof_twice_or_after_close_does_nothing(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("x").unwrap();
    assert_eq!(peer.receive(1).await, b"x");
    pause().await;
    // No byte waits to be sent.
    writer.write_eof().unwrap();
    assert_eq!(peer.receive(1).await, b"");
    writer.write_eof().unwrap();
    writer.close();
    writer.write_eof().unwrap();
    writer.wait_closed().await.unwrap();
    writer.write_eof().unwrap();
}

async fn wr22_after_a_failed_send_every_write_is_an_error(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.reset(&writer).await;
    while writer.write("too late").is_ok() {
        pause().await;
    }
    write_lost(writer.write("x"));
    write_lost(writer.writelines(["x"]));
    write_lost(writer.write_eof());
    write_lost(writer.drain().await);
    assert!(writer.is_closing());
    assert_eq!(writer.transport().get_write_buffer_size(), 0);
}

async fn a_cancelled_drain_harms_nothing(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    cancelled(writer.drain()).await;
    let mut patient = pin!(writer.drain());
    waits(patient.as_mut()).await;
    cancelled(writer.drain()).await;
    let (received, drained) = join(peer.receive(written), patient).await;
    assert_eq!(received.len(), written);
    drained.unwrap();
}

async fn send_writes_then_drains(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    transport
        .set_write_buffer_limits(WaterMarks::from_high(0))
        .unwrap();
    writer.send("hello ").await.unwrap();
    assert_eq!(transport.get_write_buffer_size(), 0);
    writer.send(b"world").await.unwrap();
    assert_eq!(peer.receive(11).await, b"hello world");
    let written = stuff(&writer).await;
    let mut send = pin!(writer.send("x"));
    waits(send.as_mut()).await;
    let (received, sent) = join(peer.receive(written + 1), send).await;
    assert_eq!(received.len(), written + 1);
    sent.unwrap();
}

async fn a_send_that_is_cancelled_has_written_its_bytes_once(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    drop(writer.send("never polled"));
    cancelled(writer.send("once")).await;
    writer.close();
    let received = peer.receive(usize::MAX).await;
    assert_eq!(received.len(), written + 4);
    assert!(received.ends_with(b"once"));
}

async fn a_send_that_is_refused_has_written_nothing(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.send("all").await.unwrap();
    writer.write_eof().unwrap();
    assert_eq!(writer.send("more").await, Err(WriteError::EofWritten));
    assert_eq!(peer.receive(100).await, b"all");
}

async fn a_thousand_writes_to_a_peer_that_does_not_read_are_kept_in_order(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let written = stuff(&writer).await;
    for n in 0..1000_u32 {
        writer.write(n.to_be_bytes()).unwrap();
    }
    writer.close();
    let received = peer.receive(usize::MAX).await;
    let expected: Vec<u8> = (0..1000_u32).flat_map(u32::to_be_bytes).collect();
    assert_eq!(received.len(), written + 4000);
    assert_eq!(received[written..], expected);
}

async fn a_peer_that_never_reads_stops_drain_and_nothing_else(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    let mut drain = pin!(writer.drain());
    waits(drain.as_mut()).await;
    peer.send(b"still here").await;
    assert_eq!(reader.readexactly(10).await.unwrap(), "still here");
    waits(drain.as_mut()).await;
    writer.close();
    let mut closed = pin!(writer.wait_closed());
    waits(closed.as_mut()).await;
    writer.transport().abort();
    closed.await.unwrap();
}

async fn writes_beyond_the_hard_limit_are_refused(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    stuff(&writer).await;
    let piece = vec![0; 1 << 20];
    let refused = loop {
        if let Err(refused) = writer.write(&piece) {
            break refused;
        }
    };
    let waiting = writer.transport().get_write_buffer_size();
    assert_eq!(refused, WriteError::BufferFull { waiting });
    assert!(waiting > 64 << 20 && waiting <= 65 << 20, "{waiting}");
    writer.transport().abort();
    assert_eq!(writer.transport().get_write_buffer_size(), 0);
}

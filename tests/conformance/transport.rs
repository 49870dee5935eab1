//! Checks of the transport: water marks, pausing, abort.

use std::pin::pin;
use std::time::Duration;

use super::super::net::{Address, ErrorCode, ExtraInfo, WaterMarks, WriteError};
use super::{LIMIT, Maker, Peer, checks, pause, stuff, until, waits};

checks! {
    tr1_abort_drops_what_waits_and_ends_reading
    tr1_abort_right_after_a_write_drops_it
    tr2_water_marks_have_defaults_from_each_other
    tr2_a_lower_mark_makes_drain_wait_and_a_higher_one_does_not_end_it
    tr2_without_room_any_waiting_byte_makes_drain_wait
    tr4_the_size_of_the_write_buffer_is_what_waits_and_nothing_after_close
    tr5_while_paused_nothing_arrives_and_afterwards_everything
    tr5_pausing_and_resuming_twice_or_when_closing_does_nothing
    tr6_is_reading_unless_paused_or_closing_also_after_the_end
    wr20_the_names_of_both_ends_stay_known_after_close
    wr20_the_options_of_the_socket_are_set_and_read_until_the_close
}

async fn tr1_abort_drops_what_waits_and_ends_reading(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"abc").await;
    until(|| reader.buffered() == 3).await;
    let written = stuff(&writer).await;
    let mut closed = pin!(writer.wait_closed());
    waits(closed.as_mut()).await;
    writer.transport().abort();
    assert!(writer.is_closing());
    assert_eq!(writer.transport().get_write_buffer_size(), 0);
    closed.await.unwrap();
    assert_eq!(reader.read(10).await.unwrap(), "abc");
    assert_eq!(reader.read(10).await.unwrap(), "");
    assert!(peer.receive(usize::MAX).await.len() < written);
    writer.transport().abort();
}

async fn tr1_abort_right_after_a_write_drops_it(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    writer.write("abc").unwrap();
    writer.transport().abort();
    assert_eq!(writer.drain().await, Err(WriteError::Aborted));
    assert_eq!(peer.receive(usize::MAX).await, b"");
}

async fn tr2_water_marks_have_defaults_from_each_other(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    let (high, low) = (65536, 16384);
    assert_eq!(
        transport.get_write_buffer_limits(),
        WaterMarks { high, low }
    );
    for (high, low, limits) in [
        (None, Some(10), (40, 10)),
        (Some(100), None, (100, 25)),
        (Some(7), Some(7), (7, 7)),
        (Some(0), None, (0, 0)),
        (None, None, (65536, 16384)),
    ] {
        let marks = WaterMarks::new(high, low);
        transport.set_write_buffer_limits(marks).unwrap();
        assert_eq!(transport.get_write_buffer_limits(), marks);
        assert_eq!((marks.high, marks.low), limits);
    }
    let refused = transport.set_write_buffer_limits(WaterMarks { high: 1, low: 2 });
    assert!(matches!(refused, Err(WriteError::InvalidArgument(why)) if why.contains("(2)")));
    assert_eq!(
        transport.get_write_buffer_limits(),
        WaterMarks { high, low }
    );
}

async fn tr2_a_lower_mark_makes_drain_wait_and_a_higher_one_does_not_end_it(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    transport
        .set_write_buffer_limits(WaterMarks::from_high(1 << 30))
        .unwrap();
    let written = stuff(&writer).await;
    writer.drain().await.unwrap();
    transport
        .set_write_buffer_limits(WaterMarks::from_high(10))
        .unwrap();
    let mut drain = pin!(writer.drain());
    waits(drain.as_mut()).await;
    transport
        .set_write_buffer_limits(WaterMarks::from_high(1 << 30))
        .unwrap();
    waits(drain.as_mut()).await;
    let (received, drained) = futures::future::join(peer.receive(written), drain).await;
    assert_eq!(received.len(), written);
    drained.unwrap();
}

async fn tr2_without_room_any_waiting_byte_makes_drain_wait(maker: &impl Maker) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    transport
        .set_write_buffer_limits(WaterMarks::from_high(0))
        .unwrap();
    writer.write("x").unwrap();
    writer.drain().await.unwrap();
    assert_eq!(transport.get_write_buffer_size(), 0);
    assert_eq!(peer.receive(1).await, b"x");
}

async fn tr4_the_size_of_the_write_buffer_is_what_waits_and_nothing_after_close(
    maker: &impl Maker,
) {
    let (_reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    assert_eq!(transport.get_write_buffer_size(), 0);
    let written = stuff(&writer).await;
    let waiting = transport.get_write_buffer_size();
    assert!(waiting > 0 && waiting <= written);
    writer.write("four").unwrap();
    assert_eq!(transport.get_write_buffer_size(), waiting + 4);
    writer.close();
    assert_eq!(peer.receive(usize::MAX).await.len(), written + 4);
    writer.wait_closed().await.unwrap();
    assert_eq!(transport.get_write_buffer_size(), 0);
}

async fn tr5_while_paused_nothing_arrives_and_afterwards_everything(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    // A receive is under way again.
    peer.send(b"begin").await;
    assert_eq!(reader.readexactly(5).await.unwrap(), "begin");
    for _ in 0..5 {
        pause().await;
    }
    transport.pause_reading();
    peer.send(b"held").await;
    peer.finish().await;
    let mut read = pin!(reader.read(10));
    waits(read.as_mut()).await;
    for _ in 0..20 {
        pause().await;
    }
    assert_eq!(reader.buffered(), 0);
    waits(read.as_mut()).await;
    transport.resume_reading();
    assert_eq!(read.await.unwrap(), "held");
    assert_eq!(reader.read(10).await.unwrap(), "");
}

async fn tr5_pausing_and_resuming_twice_or_when_closing_does_nothing(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    transport.resume_reading();
    assert!(transport.is_reading());
    transport.pause_reading();
    transport.pause_reading();
    assert!(!transport.is_reading());
    transport.resume_reading();
    assert!(transport.is_reading());
    peer.send(b"x").await;
    assert_eq!(reader.read(1).await.unwrap(), "x");
    writer.close();
    transport.pause_reading();
    transport.resume_reading();
    writer.wait_closed().await.unwrap();
    transport.pause_reading();
    transport.resume_reading();
    assert!(!transport.is_reading());
}

async fn tr6_is_reading_unless_paused_or_closing_also_after_the_end(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let transport = writer.transport();
    assert!(transport.is_reading());
    peer.finish().await;
    assert_eq!(reader.read(1).await.unwrap(), "");
    assert!(transport.is_reading());
    writer.close();
    assert!(!transport.is_reading());
}

async fn wr20_the_names_of_both_ends_stay_known_after_close(maker: &impl Maker) {
    let (_reader, writer, _peer) = maker.pair(LIMIT).await;
    let (peer, local) = (writer.peername(), writer.sockname());
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(writer.peername(), peer);
    assert_eq!(writer.sockname(), local);
    let info = |name| writer.get_extra_info(name);
    assert_eq!(info("peername"), peer.map(ExtraInfo::Address));
    assert_eq!(info("sockname"), local.map(ExtraInfo::Address));
    assert_eq!(info("no such thing"), None);
}

async fn wr20_the_options_of_the_socket_are_set_and_read_until_the_close(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let options = writer.socket_options();
    let (over_tcp, has_socket) = match writer.peername() {
        Some(Address::Ip(_)) => (true, true),
        Some(_) => (false, true),
        None => (false, false),
    };
    if !has_socket {
        assert_eq!(options.keep_alive(), Err(ErrorCode::NotSupported));
        assert_eq!(options.set_keep_alive(true), Err(ErrorCode::NotSupported));
        return;
    }
    for on in [true, false] {
        options.set_keep_alive(on).unwrap();
        assert_eq!(options.keep_alive(), Ok(on));
    }
    let (small, large) = (20_000, 50_000);
    for size in [large, small] {
        options.set_send_buffer_size(size).unwrap();
        assert_eq!(options.send_buffer_size(), Ok(size));
        options.set_receive_buffer_size(size).unwrap();
        assert_eq!(options.receive_buffer_size(), Ok(size));
    }
    let invalid = Err(ErrorCode::InvalidArgument);
    assert_eq!(options.set_send_buffer_size(0), invalid);
    assert_eq!(options.set_receive_buffer_size(0), invalid);
    let second = Duration::from_secs(1);
    if over_tcp {
        assert_eq!(options.no_delay(), Ok(true));
        for no_delay in [true, false, true] {
            options.set_no_delay(no_delay).unwrap();
            assert_eq!(options.no_delay(), Ok(no_delay));
        }
        options.set_keep_alive_idle_time(30 * second).unwrap();
        assert_eq!(options.keep_alive_idle_time(), Ok(30 * second));
        options.set_keep_alive_interval(5 * second).unwrap();
        assert_eq!(options.keep_alive_interval(), Ok(5 * second));
        options.set_keep_alive_count(3).unwrap();
        assert_eq!(options.keep_alive_count(), Ok(3));
        assert_eq!(options.set_keep_alive_idle_time(Duration::ZERO), invalid);
        assert_eq!(options.set_keep_alive_interval(Duration::ZERO), invalid);
        assert_eq!(options.set_keep_alive_count(0), invalid);
    } else {
        let absent = Err(ErrorCode::NotSupported);
        assert_eq!(options.set_no_delay(true), absent);
        assert_eq!(options.set_keep_alive_idle_time(second), absent);
        assert_eq!(options.set_keep_alive_interval(second), absent);
        assert_eq!(options.set_keep_alive_count(3), absent);
        assert_eq!(options.no_delay(), Err(ErrorCode::NotSupported));
        assert_eq!(options.keep_alive_count(), Err(ErrorCode::NotSupported));
    }
    // The connection works as before.
    writer.write("there").unwrap();
    assert_eq!(peer.receive(5).await, b"there");
    peer.send(b"back").await;
    assert_eq!(reader.readexactly(4).await.unwrap(), "back");
    peer.finish().await;
    writer.close();
    writer.wait_closed().await.unwrap();
    assert_eq!(options.keep_alive(), Err(ErrorCode::InvalidState));
    assert_eq!(options.set_no_delay(true), Err(ErrorCode::InvalidState));
}

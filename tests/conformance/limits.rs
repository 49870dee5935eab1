//! Checks of the limit: how long a line may be, and how much is buffered.

use std::pin::pin;

use futures::future::join;

use super::super::net::ReadError;
use super::{LIMIT, Maker, Peer, checks, incomplete, lines, overrun, until, waits};

checks! {
    rd8_a_separator_at_the_limit_is_found_and_one_behind_it_is_an_overrun
    rd9_without_a_separator_the_overrun_comes_when_the_limit_is_certainly_passed
    rd10_the_consumed_bytes_can_be_skipped_and_the_separator_found
    rd11_an_overrun_comes_before_the_end_of_the_data
    rd12_after_an_overrun_reading_goes_on
    rd14_an_over_long_line_is_never_cut_into_two
    rd18_a_read_of_more_than_is_buffered_makes_receiving_go_on
    rd18_while_a_read_waits_for_more_the_connection_is_receiving
    k2_k3_receiving_pauses_above_twice_the_limit_and_resumes_at_the_limit
    k4_what_is_buffered_is_bounded_whatever_the_peer_sends
    a_limit_holds_for_one_call
    a_limit_can_be_changed
    several_separators_share_the_limit
    lines_before_an_over_long_one_come_first
    a_megabyte_line_is_an_overrun_that_can_be_skipped
    a_megabyte_line_is_read_where_the_limit_permits_it
}

async fn rd8_a_separator_at_the_limit_is_found_and_one_behind_it_is_an_overrun(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"abcd\nabcde\n").await;
    until(|| reader.buffered() == 11).await;
    assert_eq!(reader.readuntil("\n").await.unwrap(), "abcd\n");
    assert_eq!(overrun(reader.readuntil("\n").await), (5, true));
    assert_eq!(reader.buffered(), 6, "nothing is consumed");
    assert_eq!(overrun(reader.readline().await), (5, true));
    assert_eq!(reader.read(100).await.unwrap(), "abcde\n");
}

async fn rd9_without_a_separator_the_overrun_comes_when_the_limit_is_certainly_passed(
    maker: &impl Maker,
) {
    for (separator, fine, over) in [("\n", 3, 4), ("END", 5, 6)] {
        let (reader, _writer, mut peer) = maker.pair(3).await;
        peer.send(&[b'x'; 10][..fine]).await;
        let mut read = pin!(reader.readuntil(separator));
        until(|| reader.buffered() == fine).await;
        waits(read.as_mut()).await;
        peer.send(b"x").await;
        assert_eq!(overrun(read.await), (4, false));
        assert_eq!(reader.buffered(), over, "nothing is consumed");
    }
}

async fn rd10_the_consumed_bytes_can_be_skipped_and_the_separator_found(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"abcdefghi<END>rest").await;
    until(|| reader.buffered() == 18).await;
    let mut skipped = Vec::new();
    let last = loop {
        match reader.readuntil("<END>").await {
            Err(ReadError::LimitOverrun { consumed, .. }) => {
                skipped.extend_from_slice(&reader.readexactly(consumed).await.unwrap());
            }
            found => break found.unwrap(),
        }
    };
    skipped.extend_from_slice(&last);
    assert_eq!(skipped, b"abcdefghi<END>");
}

async fn rd11_an_overrun_comes_before_the_end_of_the_data(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(3).await;
    peer.send(b"abcdef").await;
    peer.finish().await;
    until(|| reader.buffered() == 6).await;
    assert_eq!(overrun(reader.readuntil("\n").await), (6, false));
    assert_eq!(reader.readexactly(3).await.unwrap(), "abc");
    assert_eq!(incomplete(reader.readuntil("\n").await).0, b"def");
}

async fn rd12_after_an_overrun_reading_goes_on(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(10).await;
    let sent = vec![b'x'; 100_000];
    peer.send(&sent).await;
    peer.finish().await;
    until(|| reader.buffered() > 20).await;
    overrun(reader.readuntil("\n").await);
    assert_eq!(reader.read_to_end().await.unwrap(), sent);
}

async fn rd14_an_over_long_line_is_never_cut_into_two(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"abcdef").await;
    until(|| reader.buffered() == 6).await;
    assert_eq!(overrun(reader.readline().await), (6, false));
    peer.send(b"XYZ\nnext\n").await;
    until(|| reader.buffered() == 15).await;
    // CPython would return "XYZ\n" here.
    assert_eq!(overrun(reader.readline().await), (9, true));
    assert_eq!(reader.discard_line().await.unwrap(), 10);
    assert_eq!(reader.readline().await.unwrap(), "next\n");
}

async fn rd18_a_read_of_more_than_is_buffered_makes_receiving_go_on(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(100).await;
    let sent: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    peer.send(&sent).await;
    until(|| reader.buffered() > 200).await;
    assert_eq!(reader.readexactly(sent.len()).await.unwrap(), sent);
}

async fn rd18_while_a_read_waits_for_more_the_connection_is_receiving(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(10).await;
    let transport = writer.transport();
    peer.send(&[b'x'; 30]).await;
    until(|| reader.buffered() == 30).await;
    until(|| !transport.is_reading()).await;
    {
        let mut read = pin!(reader.readexactly(100));
        waits(read.as_mut()).await;
        assert!(transport.is_reading());
        peer.send(&[b'y'; 30]).await;
        until(|| reader.buffered() == 60).await;
        waits(read.as_mut()).await;
        assert!(transport.is_reading());
    }
    // The read gave up; it waits again for something to arrive.
    peer.send(b"z").await;
    until(|| reader.buffered() == 61).await;
    until(|| !transport.is_reading()).await;
}

async fn k2_k3_receiving_pauses_above_twice_the_limit_and_resumes_at_the_limit(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(10).await;
    peer.send(&[b'a'; 20]).await;
    until(|| reader.buffered() == 20).await;
    assert!(writer.transport().is_reading(), "at twice the limit");
    peer.send(b"b").await;
    until(|| reader.buffered() == 21).await;
    until(|| !writer.transport().is_reading()).await;
    peer.send(b"c").await;
    assert_eq!(reader.read(10).await.unwrap(), [b'a'; 10][..]);
    for _ in 0..5 {
        super::pause().await;
    }
    assert_eq!(reader.buffered(), 11, "still above the limit");
    assert!(!writer.transport().is_reading());
    reader.read(1).await.unwrap();
    until(|| reader.buffered() == 11).await;
    assert!(writer.transport().is_reading());
    assert_eq!(reader.read(100).await.unwrap(), "aaaaaaaaabc");
}

async fn k4_what_is_buffered_is_bounded_whatever_the_peer_sends(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(1000).await;
    let total = 8 << 20;
    peer.send(&vec![b'a'; total]).await;
    peer.finish().await;
    until(|| !writer.transport().is_reading()).await;
    let (mut read, mut most) = (0, 0);
    while read < total {
        most = most.max(reader.buffered());
        read += reader.read(5000).await.unwrap().len();
    }
    assert!(most <= 2 * 1000 + 256 * 1024, "{most} bytes were buffered");
    assert_eq!(reader.read(1).await.unwrap(), "");
}

async fn a_limit_holds_for_one_call(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(100).await;
    peer.send(b"abcdef\n").await;
    until(|| reader.buffered() == 7).await;
    assert!(overrun(reader.limited(3).readline().await).1);
    assert!(overrun(reader.limited(3).readuntil("\n").await).1);
    assert!(overrun(reader.limited(3).readuntil_any(&["\n"]).await).1);
    assert!(overrun(reader.limited(3).readlines(9).await).1);
    assert_eq!(reader.limit(), 100);
    assert_eq!(reader.readline().await.unwrap(), "abcdef\n");

    let (reader, _writer, mut peer) = maker.pair(3).await;
    peer.send(b"abcdef\n").await;
    assert_eq!(reader.limited(6).readline().await.unwrap(), "abcdef\n");
}

async fn a_limit_can_be_changed(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(3).await;
    assert_eq!(reader.limit(), 3);
    peer.send(b"abcdef\n").await;
    overrun(reader.readline().await);
    assert!(matches!(
        reader.set_limit(0),
        Err(ReadError::InvalidArgument(_))
    ));
    reader.set_limit(6).unwrap();
    assert_eq!(reader.limit(), 6);
    assert_eq!(reader.readline().await.unwrap(), "abcdef\n");
}

async fn several_separators_share_the_limit(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"abcdefg--").await;
    until(|| reader.buffered() == 9).await;
    assert_eq!(
        overrun(reader.readuntil_any(&["--", "+++"]).await),
        (7, true)
    );
    assert_eq!(reader.readexactly(4).await.unwrap(), "abcd");
    assert_eq!(reader.readuntil_any(&["--", "+++"]).await.unwrap(), "efg--");
}

async fn lines_before_an_over_long_one_come_first(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"1\n2\nabcdefgh\n").await;
    until(|| reader.buffered() == 13).await;
    assert_eq!(lines(reader.readlines(9).await), ["1\n", "2\n"]);
    overrun(reader.readlines(9).await);
    assert_eq!(reader.discard_line().await.unwrap(), 9);
}

async fn a_megabyte_line_is_an_overrun_that_can_be_skipped(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let mut line = vec![b'x'; 1 << 20];
    line.push(b'\n');
    peer.send(&line).await;
    peer.send(b"next\n").await;
    overrun(reader.readline().await);
    let (skipped, most) = {
        let mut most = 0;
        let mut skipping = pin!(reader.discard_line());
        loop {
            most = most.max(reader.buffered());
            if let std::task::Poll::Ready(skipped) = futures::poll!(skipping.as_mut()) {
                break (skipped.unwrap(), most);
            }
            super::pause().await;
        }
    };
    assert_eq!(skipped, line.len() as u64);
    assert!(most <= 2 * LIMIT + 256 * 1024, "{most} bytes were buffered");
    assert_eq!(reader.readline().await.unwrap(), "next\n");
    writer.close();
}

async fn a_megabyte_line_is_read_where_the_limit_permits_it(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(1 << 20).await;
    let mut line: Vec<u8> = (0..1_u32 << 20).map(|n| 32 + (n % 90) as u8).collect();
    line.push(b'\n');
    let (read, ()) = join(reader.readline(), async {
        for piece in line.chunks(100_000) {
            peer.send(piece).await;
        }
    })
    .await;
    assert_eq!(read.unwrap(), line);
}

//! Checks of what reads return.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures::StreamExt;

use super::super::net::ReadError;
use super::super::spawn;
use super::{LIMIT, Maker, Peer, cancelled, checks, incomplete, lines, until, waits};

checks! {
    rd1_read_to_end_returns_everything_whatever_the_limit
    rd2_reading_nothing_is_empty_at_once_also_while_another_read_waits
    rd3_read_returns_what_has_arrived_up_to_n
    rd3_read_waits_for_the_first_byte_and_is_empty_at_the_end_only
    rd4_readexactly_waits_for_all_of_it_past_the_limit_and_leaves_the_rest
    rd4_readexactly_at_the_end_tells_what_there_was_and_what_was_expected
    rd5_readexactly_of_nothing_is_empty_at_once
    rd6_readuntil_returns_up_to_and_with_the_first_separator
    rd7_a_separator_needs_a_byte_and_a_list_of_them_one
    rd11_at_the_end_readuntil_tells_what_there_was_with_half_a_separator
    rd13_readline_returns_the_rest_at_the_end_and_then_nothing
    rd15_at_eof_is_true_when_the_end_was_reached_and_not_before
    rd16_a_second_read_is_refused_and_takes_nothing_from_the_first
    rd20_lines_are_iterated_with_empty_ones_and_the_unended_last
    rd21_a_cancelled_read_has_consumed_nothing
    rd22_a_read_right_after_a_cancelled_one_goes_on_where_it_was
    rd24_reads_from_the_buffer_let_others_run
    several_separators_the_one_that_ends_first_wins
    several_lines_come_in_one_call
    a_separator_is_found_however_the_segments_cut_it
    bytes_that_come_one_by_one_are_read_as_one_line
    a_peer_that_never_writes_keeps_a_read_waiting_and_nothing_else
}

async fn rd1_read_to_end_returns_everything_whatever_the_limit(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"more than the limit, ").await;
    peer.send(&[b'x'; 100_000]).await;
    peer.finish().await;
    let all = reader.read_to_end().await.unwrap();
    assert_eq!(all.len(), 100_021);
    assert!(all.starts_with(b"more than the limit, xxx"));
    assert_eq!(reader.read_to_end().await.unwrap(), "");
}

async fn rd2_reading_nothing_is_empty_at_once_also_while_another_read_waits(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    assert_eq!(reader.read(0).await.unwrap(), "");
    let mut first = pin!(reader.read(10));
    waits(first.as_mut()).await;
    assert_eq!(reader.read(0).await.unwrap(), "");
    peer.send(b"abc").await;
    assert_eq!(first.await.unwrap(), "abc");
    peer.send(b"def").await;
    until(|| reader.buffered() == 3).await;
    assert_eq!(reader.read(0).await.unwrap(), "");
    assert_eq!(reader.buffered(), 3);
}

async fn rd3_read_returns_what_has_arrived_up_to_n(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(4).await;
    for segment in ["ab", "c", "de"] {
        peer.send(segment.as_bytes()).await;
    }
    until(|| reader.buffered() == 5).await;
    assert_eq!(reader.read(3).await.unwrap(), "abc");
    assert_eq!(reader.read(1_000_000).await.unwrap(), "de");
}

async fn rd3_read_waits_for_the_first_byte_and_is_empty_at_the_end_only(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    let mut read = pin!(reader.read(10));
    waits(read.as_mut()).await;
    peer.send(b"a").await;
    assert_eq!(read.await.unwrap(), "a");
    peer.finish().await;
    assert_eq!(reader.read(10).await.unwrap(), "");
    assert_eq!(reader.read(10).await.unwrap(), "");
}

async fn rd4_readexactly_waits_for_all_of_it_past_the_limit_and_leaves_the_rest(
    maker: &impl Maker,
) {
    let (reader, _writer, mut peer) = maker.pair(8).await;
    let mut read = pin!(reader.readexactly(10_000));
    peer.send(&[b'a'; 9_999]).await;
    waits(read.as_mut()).await;
    peer.send(b"bcd").await;
    let block = read.await.unwrap();
    assert_eq!(block.len(), 10_000);
    assert!(block.ends_with(b"ab"));
    assert_eq!(reader.readexactly(2).await.unwrap(), "cd");
}

async fn rd4_readexactly_at_the_end_tells_what_there_was_and_what_was_expected(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"abc").await;
    peer.finish().await;
    let short = incomplete(reader.readexactly(5).await);
    assert_eq!(short, (b"abc".to_vec(), Some(5)));
    let short = incomplete(reader.readexactly(5).await);
    assert_eq!(short, (Vec::new(), Some(5)));
    assert!(reader.at_eof());
}

async fn rd5_readexactly_of_nothing_is_empty_at_once(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    assert_eq!(reader.readexactly(0).await.unwrap(), "");
    peer.finish().await;
    until(|| reader.at_eof()).await;
    assert_eq!(reader.readexactly(0).await.unwrap(), "");
}

async fn rd6_readuntil_returns_up_to_and_with_the_first_separator(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"one--two--three-").await;
    assert_eq!(reader.readuntil("--").await.unwrap(), "one--");
    assert_eq!(reader.readuntil("--").await.unwrap(), "two--");
    let mut third = pin!(reader.readuntil("--"));
    waits(third.as_mut()).await;
    peer.send(b"-rest").await;
    assert_eq!(third.await.unwrap(), "three--");
    assert_eq!(reader.read(10).await.unwrap(), "rest");
}

async fn rd7_a_separator_needs_a_byte_and_a_list_of_them_one(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let none: [&str; 0] = [];
    let invalid = |result| matches!(result, Err(ReadError::InvalidArgument(_)));
    assert!(invalid(reader.readuntil("").await));
    assert!(invalid(reader.readuntil_any(&none).await));
    assert!(invalid(reader.readuntil_any(&["a", ""]).await));
    peer.reset(&writer).await;
    until(|| writer.is_closing()).await;
    assert!(invalid(reader.readuntil("").await), "before the error");
}

async fn rd11_at_the_end_readuntil_tells_what_there_was_with_half_a_separator(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"abc\r").await;
    peer.finish().await;
    let short = incomplete(reader.readuntil("\r\n").await);
    assert_eq!(short, (b"abc\r".to_vec(), None));
    let short = incomplete(reader.readuntil("\r\n").await);
    assert_eq!(short, (Vec::new(), None));
}

async fn rd13_readline_returns_the_rest_at_the_end_and_then_nothing(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"one\n\ntw").await;
    assert_eq!(reader.readline().await.unwrap(), "one\n");
    assert_eq!(reader.readline().await.unwrap(), "\n");
    peer.send(b"o").await;
    peer.finish().await;
    assert_eq!(reader.readline().await.unwrap(), "two");
    assert_eq!(reader.readline().await.unwrap(), "");
}

async fn rd15_at_eof_is_true_when_the_end_was_reached_and_not_before(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    assert!(!reader.at_eof());
    peer.send(b"ab").await;
    peer.finish().await;
    reader.read(1).await.unwrap();
    assert!(!reader.at_eof(), "a byte is left");
    reader.read_to_end().await.unwrap();
    assert!(reader.at_eof());
}

async fn rd16_a_second_read_is_refused_and_takes_nothing_from_the_first(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    let mut first = pin!(reader.readexactly(4));
    waits(first.as_mut()).await;
    peer.send(b"ab").await;
    until(|| reader.buffered() == 2).await;
    assert_eq!(reader.read(1).await, Err(ReadError::Busy));
    assert_eq!(reader.readline().await, Err(ReadError::Busy));
    assert_eq!(reader.readexactly(1).await, Err(ReadError::Busy));
    assert_eq!(reader.readuntil("a").await, Err(ReadError::Busy));
    assert_eq!(reader.read_to_end().await, Err(ReadError::Busy));
    peer.send(b"cd").await;
    assert_eq!(first.await.unwrap(), "abcd");
}

async fn rd20_lines_are_iterated_with_empty_ones_and_the_unended_last(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(8).await;
    peer.send(b"one\n\nlast").await;
    peer.finish().await;
    let lines: Vec<_> = reader.clone().lines().map(Result::unwrap).collect().await;
    assert_eq!(lines, ["one\n", "\n", "last"]);

    let (reader, _writer, mut peer) = maker.pair(4).await;
    peer.send(b"a\nlong line\nb\n").await;
    peer.finish().await;
    let lines: Vec<_> = reader.clone().lines().collect().await;
    assert_eq!(lines.len(), 2, "an over-long line ends them: {lines:?}");
    super::overrun(lines.into_iter().next_back().unwrap());
    assert_eq!(reader.read_to_end().await.unwrap(), "long line\nb\n");
}

async fn rd21_a_cancelled_read_has_consumed_nothing(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    cancelled(reader.read(3)).await;
    peer.send(b"abc").await;
    until(|| reader.buffered() == 3).await;
    cancelled(reader.readexactly(4)).await;
    cancelled(reader.readline()).await;
    cancelled(reader.readuntil("--")).await;
    cancelled(reader.readuntil_any(&["--", "++"])).await;
    cancelled(reader.readlines(5)).await;
    cancelled(reader.read_to_end()).await;
    peer.send(b"d\n").await;
    assert_eq!(reader.readline().await.unwrap(), "abcd\n");
}

async fn rd22_a_read_right_after_a_cancelled_one_goes_on_where_it_was(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    for round in 0..20_u8 {
        // No other task runs between the two reads.
        assert!(futures::poll!(pin!(reader.readline())).is_pending());
        let mut second = pin!(reader.readline());
        assert!(futures::poll!(second.as_mut()).is_pending());
        peer.send(&[round + 32, b'\n']).await;
        assert_eq!(second.await.unwrap(), [round + 32, b'\n'][..]);
    }
}

async fn rd24_reads_from_the_buffer_let_others_run(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(&[b'\n'; 10_000]).await;
    until(|| reader.buffered() == 10_000).await;
    let had_a_turn = Rc::new(Cell::new(false));
    let other = had_a_turn.clone();
    spawn(async move { other.set(true) });
    for _ in 0..1000 {
        reader.readline().await.unwrap();
    }
    assert!(had_a_turn.get(), "1000 reads and no other task ran");
}

async fn several_separators_the_one_that_ends_first_wins(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"a;b\r\nc\nd").await;
    let either = ["\r\n", "\n", ";"];
    for expected in ["a;", "b\r\n", "c\n"] {
        assert_eq!(reader.readuntil_any(&either).await.unwrap(), expected);
    }
    peer.finish().await;
    let short = incomplete(reader.readuntil_any(&either).await);
    assert_eq!(short, (b"d".to_vec(), None));
}

async fn several_lines_come_in_one_call(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    peer.send(b"1\n2\n3\n4").await;
    until(|| reader.buffered() == 7).await;
    assert_eq!(lines(reader.readlines(0).await), [""; 0]);
    assert_eq!(lines(reader.readlines(2).await), ["1\n", "2\n"]);
    assert_eq!(lines(reader.readlines(100).await), ["3\n"]);
    let mut rest = pin!(reader.readlines(100));
    waits(rest.as_mut()).await;
    peer.finish().await;
    assert_eq!(lines(rest.await), ["4"]);
    assert_eq!(lines(reader.readlines(100).await), [""; 0]);
}

async fn a_separator_is_found_however_the_segments_cut_it(maker: &impl Maker) {
    let text = b"ab\r\r\n\rcd<END>\n";
    for separator in ["\r\n", "<END>", "\n", "\r\r\n\r"] {
        let mut windows = text.windows(separator.len());
        let at = windows.position(|window| window == separator.as_bytes());
        let end = at.unwrap() + separator.len();
        for cut in 1..text.len() {
            let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
            let mut read = pin!(reader.readuntil(separator));
            waits(read.as_mut()).await;
            peer.send(&text[..cut]).await;
            // The byte may have been read already.
            let arrived = |buffered| buffered == cut || cut >= end && buffered == cut - end;
            until(|| arrived(reader.buffered())).await;
            peer.send(&text[cut..]).await;
            let line = read.await.unwrap();
            assert_eq!(line, text[..end], "{separator:?} cut at {cut}");
        }
    }
}

async fn bytes_that_come_one_by_one_are_read_as_one_line(maker: &impl Maker) {
    let (reader, _writer, mut peer) = maker.pair(LIMIT).await;
    let line = b"one byte at a time\n";
    let mut read = pin!(reader.readline());
    for (index, byte) in line.iter().enumerate() {
        assert!(futures::poll!(read.as_mut()).is_pending());
        peer.send(&[*byte]).await;
        until(|| reader.buffered() == index + 1 || index + 1 == line.len()).await;
    }
    assert_eq!(read.await.unwrap(), line[..]);
}

async fn a_peer_that_never_writes_keeps_a_read_waiting_and_nothing_else(maker: &impl Maker) {
    let (reader, writer, mut peer) = maker.pair(LIMIT).await;
    let mut read = pin!(reader.read(1));
    waits(read.as_mut()).await;
    writer.write("question").unwrap();
    writer.drain().await.unwrap();
    assert_eq!(peer.receive(8).await, b"question");
    writer.close();
    assert_eq!(read.await.unwrap(), "", "closing ends the read");
    writer.wait_closed().await.unwrap();
}

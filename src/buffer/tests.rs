//! The rules of the buffer, one by one.

use super::*;

fn filled(limit: usize, bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new(limit);
    buffer.feed(bytes);
    buffer
}

fn separators(list: &[&'static str]) -> Separators<'static> {
    Separators::new(list.iter().map(|s| s.as_bytes())).unwrap()
}

fn overrun(consumed: usize, found: bool) -> Found<Result<Bytes, ReadError>> {
    Found::Ready(Err(ReadError::LimitOverrun { consumed, found }))
}

fn ready(bytes: &'static str) -> Found<Result<Bytes, ReadError>> {
    Found::Ready(Ok(Bytes::from(bytes)))
}

#[test]
fn rd3_some_returns_what_there_is_up_to_n() {
    let mut buffer = filled(10, b"abc");
    buffer.feed(b"def");
    assert_eq!(buffer.some(4), Found::Ready(Bytes::from("abcd")));
    assert_eq!(buffer.some(4), Found::Ready(Bytes::from("ef")));
    assert_eq!(buffer.some(4), Found::Wait(1));
    buffer.set_ended(true);
    assert_eq!(buffer.some(4), Found::Ready(Bytes::new()));
}

#[test]
fn rd2_some_of_nothing_is_empty_and_leaves_the_buffer() {
    let mut buffer = filled(10, b"abc");
    assert_eq!(buffer.some(0), Found::Ready(Bytes::new()));
    assert_eq!(buffer.len(), 3);
}

#[test]
fn rd4_exactly_at_the_end_hands_over_the_partial_bytes() {
    let mut buffer = filled(2, b"abc");
    assert_eq!(buffer.exactly(5), Found::Wait(5));
    buffer.set_ended(true);
    assert_eq!(
        buffer.exactly(5),
        Found::Ready(Err(ReadError::Incomplete {
            partial: Bytes::from("abc"),
            expected: Some(5)
        }))
    );
    assert!(buffer.is_empty());
}

#[test]
fn rd8_a_separator_at_the_limit_is_fine_and_one_past_it_is_an_overrun() {
    assert_eq!(filled(3, b"abc\n").line(3), ready("abc\n"));
    let mut buffer = filled(3, b"abcd\nrest");
    assert_eq!(buffer.line(3), overrun(4, true));
    assert_eq!(buffer.len(), 9, "nothing is consumed");
    assert_eq!(buffer.line(4), ready("abcd\n"));
}

#[test]
fn rd9_without_a_separator_the_overrun_depends_on_its_length() {
    assert_eq!(filled(3, b"abc").line(3), Found::Wait(4));
    assert_eq!(filled(3, b"abcd").line(3), overrun(4, false));
    let three = separators(&["123"]);
    assert_eq!(filled(3, b"abcde").until(&three, 3), Found::Wait(6));
    assert_eq!(filled(3, b"abcdef").until(&three, 3), overrun(4, false));
}

#[test]
fn rd10_reading_the_consumed_bytes_gets_past_an_overrun() {
    let mut buffer = filled(3, b"abcdef\nx\n");
    assert_eq!(buffer.line(3), overrun(6, true));
    assert_eq!(buffer.exactly(6), ready("abcdef"));
    assert_eq!(buffer.line(3), ready("\n"));
    assert_eq!(buffer.line(3), ready("x\n"));
}

#[test]
fn rd11_the_limit_is_looked_at_before_the_end() {
    let mut buffer = filled(3, b"abcd");
    buffer.set_ended(true);
    assert_eq!(buffer.line(3), overrun(4, false));
    assert_eq!(buffer.line(4), ready("abcd"));
    assert_eq!(buffer.line(4), ready(""));
}

#[test]
fn an_overrun_is_found_again_by_the_same_read() {
    let mut buffer = filled(3, b"abcdef");
    let three = separators(&["123"]);
    assert_eq!(buffer.until(&three, 3), overrun(4, false));
    assert_eq!(buffer.until(&three, 3), overrun(4, false));
    assert_eq!(buffer.until(&three, 4), Found::Wait(7));
}

#[test]
fn a_separator_split_over_segments_is_found() {
    let crlf = separators(&["\r\n\r\n"]);
    for cut in 1..8 {
        let mut buffer = filled(100, &b"abc\r\n\r\nd"[..cut]);
        let first = buffer.until(&crlf, 100);
        if cut < 7 {
            assert!(matches!(first, Found::Wait(_)), "cut at {cut}");
            buffer.feed(&b"abc\r\n\r\nd"[cut..]);
            assert_eq!(buffer.until(&crlf, 100), ready("abc\r\n\r\n"));
        } else {
            assert_eq!(first, ready("abc\r\n\r\n"));
        }
    }
}

#[test]
fn of_several_separators_the_one_that_ends_first_wins() {
    let set = separators(&["--", ";"]);
    let mut buffer = filled(100, b"a;b--c");
    assert_eq!(buffer.until(&set, 100), ready("a;"));
    assert_eq!(buffer.until(&set, 100), ready("b--"));
}

#[test]
fn discarding_a_line_ends_at_the_newline_or_the_end() {
    let mut buffer = filled(2, b"abcdef");
    assert_eq!(buffer.discard_line(), (6, false));
    buffer.feed(b"gh\nnext");
    assert_eq!(buffer.discard_line(), (3, true));
    buffer.set_ended(true);
    assert_eq!(buffer.discard_line(), (4, true));
}

#[test]
fn bytes_put_back_are_read_first() {
    let mut buffer = filled(10, b"abcdef");
    let taken = buffer.take(4);
    buffer.untake(taken.slice(1..));
    assert_eq!(buffer.all(), Found::Wait(usize::MAX));
    buffer.set_ended(true);
    assert_eq!(buffer.all(), Found::Ready(Bytes::from("bcdef")));
}

#[test]
fn a_line_that_is_taken_leaves_no_trace_in_another_search() {
    let semicolon = separators(&[";"]);
    let mut buffer = filled(100, b"one\ntwo\nthree\nfour");
    assert_eq!(buffer.line(100), ready("one\n"));
    assert!(matches!(buffer.until(&semicolon, 100), Found::Wait(_)));
    assert_eq!(buffer.line_at_once(100), Some(Bytes::from("two\n")));
    buffer.feed(b";");
    assert_eq!(buffer.until(&semicolon, 100), ready("three\nfour;"));
}

#[test]
fn bytes_that_arrive_behind_a_large_front_are_read_in_order() {
    let mut buffer = filled(100, b"one\ntwo\nthree");
    assert_eq!(buffer.line(100), ready("one\n"));
    buffer.feed(b"\nfo");
    assert_eq!(buffer.len(), 12);
    assert_eq!(buffer.line(100), ready("two\n"));
    assert_eq!(buffer.some(9), Found::Ready(Bytes::from("three\nfo")));
    assert!(buffer.is_empty());
}

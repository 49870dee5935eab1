//! A connection over an in-memory transport, seen from its handles.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};

use crate::error::{ErrorCode, ReadError, WriteError};
use crate::runtime::executor::{run_native, spawn};
use crate::transport::memory::connected;
use crate::water_marks::WaterMarks;

#[test]
fn what_is_written_is_read_in_order() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(10, 7);
        writer.write(b"hello ").unwrap();
        writer.writelines([b"wo", b"rl"]).unwrap();
        writer.write(b"d").unwrap();
        writer.close();
        assert_eq!(reader.read_to_end().await.unwrap(), "hello world");
        assert!(reader.at_eof());
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn rd17_bytes_that_arrived_before_a_failure_are_read_first() {
    run_native(async {
        let ((_, writer), (reader, other), there, _) = connected(100, 100);
        writer.write(b"last words").unwrap();
        reader.readexactly(5).await.unwrap();
        there.fail(ErrorCode::ConnectionReset);
        assert_eq!(
            other.wait_closed().await,
            Err(ErrorCode::ConnectionReset),
            "the connection is lost"
        );
        let failed = ReadError::Connection(ErrorCode::ConnectionReset);
        assert_eq!(reader.readexactly(6).await, Err(failed.clone()));
        assert_eq!(reader.read(100).await.unwrap(), "words");
        assert_eq!(reader.read(100).await, Err(failed.clone()));
        assert_eq!(reader.readline().await, Err(failed));
    });
}

#[test]
fn what_the_peer_has_sent_is_read_after_a_write_has_failed() {
    run_native(async {
        let ((_, far), (reader, writer), _, back) = connected(100, 100);
        back.refuse(ErrorCode::ConnectionBroken);
        writer.write(b"too late").unwrap();
        let failed = WriteError::Connection(ErrorCode::ConnectionBroken);
        while writer.write(b"").is_ok() {
            yield_now().await;
        }
        assert_eq!(writer.drain().await, Err(failed));
        assert!(writer.is_closing());
        far.write(b"the reason").unwrap();
        far.close();
        assert_eq!(reader.readexactly(10).await.unwrap(), "the reason");
        assert_eq!(writer.wait_closed().await, Err(ErrorCode::ConnectionBroken));
    });
}

#[test]
fn a_reset_that_writing_has_met_is_no_end_of_what_is_read() {
    run_native(async {
        let ((_, far), (reader, writer), _, back) = connected(100, 100);
        back.refuse(ErrorCode::ConnectionReset);
        writer.write(b"too late").unwrap();
        while writer.write(b"").is_ok() {
            yield_now().await;
        }
        far.write(b"half").unwrap();
        far.close();
        let failed = ReadError::Connection(ErrorCode::ConnectionReset);
        assert_eq!(reader.readexactly(8).await, Err(failed.clone()));
        assert_eq!(reader.read(100).await.unwrap(), "half");
        assert_eq!(reader.read(100).await, Err(failed));
    });
}

#[test]
fn rd16_a_second_reader_that_would_wait_is_refused_and_the_first_goes_on() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(100, 100);
        let first = reader.clone();
        let waiting = spawn(async move { first.readexactly(4).await });
        while reader.read(1).now_or_never() != Some(Err(ReadError::Busy)) {
            futures::pending!();
        }
        assert_eq!(reader.read(0).await, Ok(Bytes::new()));
        writer.write(b"abcd").unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), "abcd");
    });
}

#[test]
fn rd21_a_dropped_read_has_consumed_nothing() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(100, 100);
        writer.write(b"abc").unwrap();
        assert!(reader.readexactly(4).now_or_never().is_none());
        assert!(reader.read_to_end().now_or_never().is_none());
        assert_eq!(reader.read(100).await.unwrap(), "abc");
    });
}

#[test]
fn rd19_receiving_pauses_above_twice_the_limit_and_resumes_at_the_limit() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(1000, 10);
        let total = 1_000_000;
        writer.write(vec![7; total]).unwrap();
        reader.read(1).await.unwrap();
        // The transport holds no more, so what is left is on the other side.
        let mut before = usize::MAX;
        while writer.transport().get_write_buffer_size() != before {
            before = writer.transport().get_write_buffer_size();
            yield_now().await;
        }
        let held = reader.buffered();
        assert!(held > 2000 && held <= 2000 + 256 * 1024, "{held} held");
        let rest = reader.readexactly(total - 1).await.unwrap();
        assert_eq!(rest.len(), total - 1, "a read past the limit goes on");
    });
}

#[test]
fn wr7_drain_waits_above_the_high_mark_and_until_the_low_one() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(1, 1);
        writer
            .transport()
            .set_write_buffer_limits(WaterMarks { high: 8, low: 4 })
            .unwrap();
        writer.write(b"12345678").unwrap();
        writer.drain().await.unwrap();
        writer.write(b"9abcdefghi").unwrap();
        assert!(writer.drain().now_or_never().is_none());
        let (first, second) = (writer.clone(), writer.clone());
        let first = spawn(async move { first.drain().await });
        let second = spawn(async move { second.drain().await });
        assert_eq!(reader.readexactly(18).await.unwrap(), "123456789abcdefghi");
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
    });
}

#[test]
fn tr2_water_marks_have_asyncios_defaults() {
    run_native(async {
        let ((_, writer), ..) = connected(1, 1);
        let transport = writer.transport();
        let marks = |high, low| WaterMarks { high, low };
        assert_eq!(transport.get_write_buffer_limits(), marks(65536, 16384));
        for set in [WaterMarks::from_low(10), WaterMarks::from_high(100)] {
            transport.set_write_buffer_limits(set).unwrap();
            assert_eq!(transport.get_write_buffer_limits(), set);
        }
        assert!(matches!(
            transport.set_write_buffer_limits(marks(1, 2)),
            Err(WriteError::InvalidArgument(_))
        ));
    });
}

#[test]
fn wr10_abort_makes_a_waiting_drain_fail() {
    run_native(async {
        let ((_, writer), _other, ..) = connected(1, 1);
        writer.write(vec![0; 100_000]).unwrap();
        let draining = writer.clone();
        let draining = spawn(async move { draining.drain().await });
        yield_now().await;
        writer.transport().abort();
        assert_eq!(draining.await.unwrap(), Err(WriteError::Aborted));
        assert_eq!(writer.write(b"x"), Err(WriteError::Aborted));
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn wr3_writing_after_close_is_an_error_and_what_was_written_arrives() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(10, 3);
        writer.write(b"before").unwrap();
        writer.close();
        assert_eq!(writer.write(b"after"), Err(WriteError::Closed));
        assert_eq!(reader.read_to_end().await.unwrap(), "before");
    });
}

#[test]
fn wr14_after_write_eof_reading_goes_on_and_writing_does_not() {
    run_native(async {
        let ((near_reader, near), (far_reader, far), ..) = connected(10, 10);
        near.write(b"question").unwrap();
        near.write_eof().unwrap();
        near.write_eof().unwrap();
        assert_eq!(near.write(b"more"), Err(WriteError::EofWritten));
        assert!(!near.is_closing());
        assert_eq!(far_reader.read_to_end().await.unwrap(), "question");
        far.write(b"answer").unwrap();
        far.close();
        assert_eq!(near_reader.read_to_end().await.unwrap(), "answer");
    });
}

#[test]
fn dropping_the_last_handle_sends_what_was_written_and_closes() {
    run_native(async {
        let ((near_reader, near), (reader, _), ..) = connected(10, 3);
        near.write(b"farewell").unwrap();
        drop(near_reader);
        drop(near);
        assert_eq!(reader.read_to_end().await.unwrap(), "farewell");
    });
}

#[test]
fn rd25_after_close_the_buffer_can_be_read_and_then_the_data_end() {
    run_native(async {
        let ((_, far), (reader, writer), ..) = connected(10, 10);
        far.write(b"abc").unwrap();
        reader.readexactly(1).await.unwrap();
        writer.close();
        assert_eq!(reader.read(10).await.unwrap(), "bc");
        assert_eq!(reader.read(10).await.unwrap(), "");
        assert!(reader.at_eof());
    });
}

#[test]
fn wr18_any_number_may_wait_for_the_end_and_giving_up_harms_nobody() {
    run_native(async {
        let ((_, writer), _other, ..) = connected(10, 10);
        let patient = writer.clone();
        let patient = spawn(async move { patient.wait_closed().await });
        assert!(writer.wait_closed().now_or_never().is_none());
        yield_now().await;
        writer.close();
        assert_eq!(patient.await.unwrap(), Ok(()));
        assert_eq!(writer.wait_closed().await, Ok(()));
    });
}

#[test]
fn rd24_reads_from_the_buffer_give_way_to_others() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(10_000, 10_000);
        writer.write(vec![b'\n'; 10_000]).unwrap();
        reader.readline().await.unwrap();
        let had_a_turn = Rc::new(Cell::new(false));
        let other = had_a_turn.clone();
        drop(spawn(async move { other.set(true) }));
        for _ in 0..1000 {
            reader.readline().await.unwrap();
        }
        assert!(had_a_turn.get());
    });
}

#[test]
fn a_write_is_refused_while_more_than_the_hard_limit_waits() {
    run_native(async {
        let ((_, writer), _other, ..) = connected(1, 1);
        writer
            .write(vec![0; super::write::WRITE_HARD_LIMIT + 1])
            .unwrap();
        assert!(matches!(
            writer.write(b"x"),
            Err(WriteError::BufferFull { .. })
        ));
        writer.transport().abort();
    });
}

async fn yield_now() {
    for _ in 0..10 {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if yielded {
                return std::task::Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}

#[test]
fn the_halves_are_what_crates_made_for_futures_io_expect() {
    run_native(async {
        let ((_, mut writer), (mut reader, _), ..) = connected(100, 5);
        let copied = spawn(async move {
            let mut from = futures::io::Cursor::new("first\nsecond\nthe rest");
            let copied = futures::io::copy(&mut from, &mut writer).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
            copied
        });
        let mut line = String::new();
        AsyncBufReadExt::read_line(&mut reader, &mut line)
            .await
            .unwrap();
        assert_eq!(line, "first\n");
        // What the trait has lent out and not consumed, asyncio's reads find.
        assert_eq!(reader.readline().await.unwrap(), "second\n");
        let mut rest = String::new();
        AsyncReadExt::read_to_string(&mut reader, &mut rest)
            .await
            .unwrap();
        assert_eq!(rest, "the rest");
        assert_eq!(copied.await.unwrap(), 21);
    });
}

#[test]
fn closing_an_async_write_ends_one_direction_and_waits_until_the_end_is_sent() {
    run_native(async {
        let ((near_reader, mut near), (far_reader, far), ..) = connected(100, 5);
        near.write("longer than the room").unwrap();
        let closed = {
            let mut closing = pin!(AsyncWriteExt::close(&mut near));
            assert!((&mut closing).now_or_never().is_none(), "bytes wait");
            let read = far_reader.read_to_end();
            let (closed, read) = futures::join!(closing, read);
            assert_eq!(read.unwrap(), "longer than the room");
            closed
        };
        closed.unwrap();
        assert!(!near.is_closing());
        assert_eq!(near.write("more"), Err(WriteError::EofWritten));
        far.write("the answer").unwrap();
        far.close();
        assert_eq!(near_reader.read_to_end().await.unwrap(), "the answer");
        AsyncWriteExt::close(&mut near).await.unwrap();
        near.close();
        near.wait_closed().await.unwrap();
        AsyncWriteExt::close(&mut near).await.unwrap();
    });
}

#[test]
fn closing_an_async_write_that_has_failed_is_an_error() {
    run_native(async {
        let ((_, mut near), (_far_reader, _far), there, _) = connected(100, 5);
        near.write("more than the room").unwrap();
        there.refuse(ErrorCode::ConnectionBroken);
        let error = AsyncWriteExt::close(&mut near).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn rd20_lines_are_a_stream_that_ends_with_the_data() {
    run_native(async {
        let ((_, writer), (reader, _), ..) = connected(4, 100);
        writer.write(b"ab\n\nlast").unwrap();
        writer.close();
        let lines: Vec<_> = reader.clone().lines().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["ab\n", "\n", "last"]);

        let ((_, writer), (reader, _), ..) = connected(4, 100);
        writer.write(b"ab\nabcdefgh\nx\n").unwrap();
        writer.close();
        let lines: Vec<_> = reader.clone().lines().collect().await;
        assert_eq!(lines.len(), 2);
        assert!(matches!(lines[1], Err(ReadError::LimitOverrun { .. })));
        assert_eq!(reader.discard_line().await, Ok(9));
        assert_eq!(reader.readline().await.unwrap(), "x\n");
    });
}

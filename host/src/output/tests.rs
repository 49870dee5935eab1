use std::future::poll_fn;
use std::io::Read as _;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use wasmtime_wasi::p2::{OutputStream as _, Pollable as _, StreamError};

use super::*;

fn pipe() -> (io::PipeReader, Output) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Output::new(writer))
}

async fn write(output: &Output, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| output.poll_write(cx, bytes)).await
}

/// Writes until a guest would have to wait, and returns the number of bytes.
async fn fill(output: &Output) -> usize {
    let mut filled = 0;
    // The pipe itself takes some, at a time that the thread decides.
    while output.room().unwrap() > 0 || lock(&output.0.state).taken.elapsed() < WAKE {
        filled += match output.room().unwrap() {
            0 => {
                thread::yield_now();
                0
            }
            _ => write(output, &[b'x'; CHUNK]).await.unwrap(),
        };
    }
    filled
}

#[tokio::test]
async fn a_reader_that_takes_nothing_stops_only_what_waits_for_room() {
    let (mut reader, output) = pipe();
    let filled = fill(&output).await;
    assert!(filled >= BUFFER, "{filled}");
    let pending = poll_fn(|cx| Poll::Ready(output.poll_write(cx, b"y").is_pending()));
    assert!(pending.await);
    assert!(output.try_write(b"the host's own"));
    let waits = write(&output, b"y");
    let (taken, written) = tokio::join!(
        tokio::task::spawn_blocking(move || {
            let mut taken = vec![0; filled + 14];
            reader.read_exact(&mut taken).map(|()| (taken, reader))
        }),
        waits
    );
    assert_eq!(written.unwrap(), 1);
    let (taken, mut reader) = taken.unwrap().unwrap();
    assert!(taken.ends_with(b"xthe host's own"));
    let mut last = [0];
    reader.read_exact(&mut last).unwrap();
    assert_eq!(last, *b"y");
}

#[tokio::test]
async fn the_reserve_of_the_host_is_bounded_too() {
    let (_reader, output) = pipe();
    fill(&output).await;
    let message = [b'm'; 1024];
    let written = (0..1000).take_while(|_| output.try_write(&message));
    assert!(written.count() <= RESERVE / 1024);
}

#[tokio::test]
async fn a_writer_is_told_that_the_reader_is_gone() {
    let (reader, output) = pipe();
    drop(reader);
    while write(&output, b"x").await.is_ok() {
        let _ = output.finish();
    }
    let error = write(&output, b"x").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut old = output.clone();
    let old = old.blocking_write_and_flush(Bytes::from_static(b"x"));
    assert!(matches!(old.await, Err(StreamError::Closed)));
    assert!(!output.try_write(b"lost"));
    assert!(output.finish().failure.is_none(), "the guest knows");
}

#[test]
fn a_failure_that_no_guest_knows_is_told_at_the_end() {
    let (reader, output) = pipe();
    drop(reader);
    assert!(output.try_write(b"x"));
    let failure = output.finish().failure.unwrap();
    assert_eq!(failure.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_call_of_wasi_0_2_waits_no_longer_than_the_host() {
    let (_reader, output) = pipe();
    fill(&output).await;
    output.give_up_at(Instant::now());
    let mut full = output.clone();
    full.ready().await;
    assert!(full.check_write().is_err());
    let full = full.blocking_write_and_flush(Bytes::from_static(b"x"));
    let Err(StreamError::LastOperationFailed(error)) = full.await else {
        panic!("it was written");
    };
    let error = error.downcast::<io::Error>().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(output.finish().unwritten >= BUFFER);
}

#[test]
fn everything_is_written_to_a_file_that_does_not_block() {
    let (mut reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let output = Output::new(writer);
    let taking = thread::spawn(move || {
        let mut taken = vec![0; 500_000];
        reader.read_exact(&mut taken).map(|()| taken)
    });
    assert!(output.try_write(&[b'x'; 500_000]));
    assert_eq!(output.finish().unwritten, 0);
    assert_eq!(taking.join().unwrap().unwrap(), [b'x'; 500_000]);
}

#[tokio::test]
async fn a_guest_that_does_not_ask_for_room_cannot_fill_the_memory() {
    let (_reader, mut output) = pipe();
    let piece = Bytes::from(vec![b'x'; 256 * 1024]);
    let refused = (0..100).find_map(|_| output.write(piece.clone()).err());
    assert!(matches!(refused, Some(StreamError::Trap(_))), "{refused:?}");
    assert!(lock(&output.0.state).unwritten() <= 2 * BUFFER);
    assert!(output.write_zeroes(usize::MAX).is_err());
}

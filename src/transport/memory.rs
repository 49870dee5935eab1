//! Two connected ends in memory, for unit tests.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::{Received, Sink, Source};
use crate::connection::{Connection, Names};
use crate::error::ErrorCode;
use crate::runtime::executor;
use crate::{StreamReader, StreamWriter};

/// One direction: at most `room` bytes are under way.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    room: usize,
    ended: bool,
    failed: Option<ErrorCode>,
    refused: Option<ErrorCode>,
    wakers: Vec<Waker>,
}

/// A handle to break a pipe with.
#[derive(Clone)]
pub(crate) struct Direction(Rc<RefCell<Pipe>>);

impl Direction {
    fn new(room: usize) -> Direction {
        Direction(Rc::new(RefCell::new(Pipe {
            room,
            ..Pipe::default()
        })))
    }

    pub(crate) fn fail(&self, code: ErrorCode) {
        self.0.borrow_mut().failed = Some(code);
        self.wake();
    }

    /// Sending fails; what is under way can still be received.
    pub(crate) fn refuse(&self, code: ErrorCode) {
        self.0.borrow_mut().refused = Some(code);
        self.wake();
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut self.0.borrow_mut().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

pub(crate) struct MemorySource(Direction);
pub(crate) struct MemorySink(Direction);

pub(crate) type End = (StreamReader, StreamWriter);

/// Two ends of a connection, and the directions from the first to the second
/// and back. `room` is how much a direction holds.
pub(crate) fn connected(limit: usize, room: usize) -> (End, End, Direction, Direction) {
    let (there, back) = (Direction::new(room), Direction::new(room));
    let end = |source: &Direction, sink: &Direction| {
        let connection = Connection::new(limit, Names::default());
        let handles = connection.handles();
        let (source, sink) = (MemorySource(source.clone()), MemorySink(sink.clone()));
        executor::detach(async move {
            connection.run(source, sink).await;
            connection.finished();
        });
        handles
    };
    (end(&back, &there), end(&there, &back), there, back)
}

impl Source for MemorySource {
    async fn receive(&mut self, mut buffer: Vec<u8>) -> (Received, Vec<u8>) {
        let received = poll_fn(|cx| {
            let mut pipe = self.0.0.borrow_mut();
            if let Some(code) = &pipe.failed {
                return Poll::Ready(Received::Failed(code.clone()));
            }
            if pipe.bytes.is_empty() {
                if pipe.ended {
                    return Poll::Ready(Received::End);
                }
                pipe.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            let count = pipe.bytes.len().min(buffer.capacity() - buffer.len());
            buffer.extend(pipe.bytes.drain(..count));
            Poll::Ready(Received::Bytes)
        })
        .await;
        self.0.wake();
        (received, buffer)
    }

    async fn receive_now(&mut self, buffer: Vec<u8>) -> (Option<Received>, Vec<u8>) {
        let idle = {
            let pipe = self.0.0.borrow();
            pipe.bytes.is_empty() && !pipe.ended && pipe.failed.is_none()
        };
        if idle {
            return (None, buffer);
        }
        let (received, buffer) = self.receive(buffer).await;
        (Some(received), buffer)
    }
}

impl Sink for MemorySink {
    async fn send(
        &mut self,
        data: Vec<u8>,
        mut progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        let mut from = 0;
        let result = poll_fn(|cx| {
            loop {
                let mut pipe = self.0.0.borrow_mut();
                if let Some(code) = pipe.failed.as_ref().or(pipe.refused.as_ref()) {
                    return Poll::Ready(Err(code.clone()));
                }
                if from == data.len() {
                    return Poll::Ready(Ok(()));
                }
                let count = (pipe.room - pipe.bytes.len()).min(data.len() - from);
                if count == 0 {
                    pipe.wakers.push(cx.waker().clone());
                    return Poll::Pending;
                }
                pipe.bytes.extend_from_slice(&data[from..from + count]);
                drop(pipe);
                from += count;
                progress(count);
                self.0.wake();
            }
        })
        .await;
        (result, data)
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        self.0.0.borrow_mut().ended = true;
        self.0.wake();
        Ok(())
    }
}

/// A connection that is given up ends what it sends.
impl Drop for MemorySink {
    fn drop(&mut self) {
        self.0.0.borrow_mut().ended = true;
        self.0.wake();
    }
}

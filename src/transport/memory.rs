//! A transport in memory, for unit tests.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::{Received, Sink, Source};
use crate::address::Names;
use crate::connection::Connection;
use crate::error::ErrorCode;
use crate::runtime::executor;
use crate::{StreamReader, StreamWriter};

/// One direction, which holds at most `room` bytes.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    room: usize,
    ended: bool,
    failed: Option<ErrorCode>,
    refused: Option<ErrorCode>,
    wakers: Vec<Waker>,
}

/// A handle of one direction, with which a test makes it fail.
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

    /// Makes sending fail. What was sent before can still be received.
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

/// Returns two connected ends, and the directions from the first to the second and back.
/// Each direction holds `room` bytes.
pub(crate) fn connected(limit: usize, room: usize) -> (End, End, Direction, Direction) {
    let (there, back) = (Direction::new(room), Direction::new(room));
    let near = end(limit, &back, &there);
    let far = end(limit, &there, &back);
    (near, far, there, back)
}

/// Returns one end of a connection, and the other end to be worked by hand.
pub(crate) fn single(limit: usize, room: usize) -> (StreamReader, StreamWriter, Remote) {
    let (there, back) = (Direction::new(room), Direction::new(room));
    let (reader, writer) = end(limit, &back, &there);
    (reader, writer, Remote { there, back })
}

fn end(limit: usize, source: &Direction, sink: &Direction) -> End {
    let connection = Connection::new(limit, Names::default());
    let handles = connection.handles();
    let (source, sink) = (MemorySource(source.clone()), MemorySink(sink.clone()));
    executor::detach(async move {
        connection.clone().run(source, sink).await;
        connection.finished();
    });
    handles
}

/// The other end, worked by hand.
pub(crate) struct Remote {
    there: Direction,
    back: Direction,
}

impl Remote {
    /// Sends the bytes.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.back.0.borrow_mut().bytes.extend_from_slice(bytes);
        self.back.wake();
    }

    /// Receives `count` bytes, or fewer if the data end first.
    pub(crate) async fn take(&self, count: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        poll_fn(|cx| {
            let mut pipe = self.there.0.borrow_mut();
            let here = pipe.bytes.len().min(count - taken.len());
            taken.extend(pipe.bytes.drain(..here));
            if taken.len() == count || pipe.ended || pipe.failed.is_some() {
                return Poll::Ready(());
            }
            let senders = std::mem::replace(&mut pipe.wakers, vec![cx.waker().clone()]);
            drop(pipe);
            senders.into_iter().for_each(Waker::wake);
            Poll::Pending
        })
        .await;
        self.there.wake();
        taken
    }

    /// Ends the data that it sends.
    pub(crate) fn end(&self) {
        self.back.0.borrow_mut().ended = true;
        self.back.wake();
    }

    /// Resets the connection.
    pub(crate) fn break_off(&self) {
        self.there.fail(ErrorCode::ConnectionReset);
        self.back.fail(ErrorCode::ConnectionReset);
    }
}

impl Source for MemorySource {
    async fn receive(
        &mut self,
        mut buffer: Vec<u8>,
        give_up: impl Fn() -> bool,
    ) -> (Received, Vec<u8>) {
        let received = poll_fn(|cx| {
            let mut pipe = self.0.0.borrow_mut();
            if pipe.failed.is_some() || (pipe.bytes.is_empty() && pipe.ended) {
                return Poll::Ready(Received::Over);
            }
            if pipe.bytes.is_empty() {
                if give_up() {
                    return Poll::Ready(Received::Nothing);
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

    async fn outcome(&mut self) -> Result<(), ErrorCode> {
        self.0.0.borrow().failed.clone().map_or(Ok(()), Err)
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

/// Dropping the sink ends the data, as with a socket.
impl Drop for MemorySink {
    fn drop(&mut self) {
        self.0.0.borrow_mut().ended = true;
        self.0.wake();
    }
}

//! Shared by the raw checks of sockets: how a check fails, and the two halves of a
//! connection.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasi::sockets::types::ErrorCode;
use wasi::wit_stream;
use wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};

pub(crate) type Failure = Box<dyn Error>;
pub(crate) type Outcome = Result<(), Failure>;

/// Ends the check with these words, unless it holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::checks::Failure::from(format!($($words)+)));
        }
    };
}

/// Ends the check unless both are the same.
macro_rules! same {
    ($one:expr, $other:expr) => {
        match (&$one, &$other) {
            (one, other) => {
                ensure!(one == other, "{}: {one:?}, not {other:?}", stringify!($one));
            }
        }
    };
}

/// A connected socket, of either kind.
pub(crate) trait ByteSocket {
    fn send(&self, data: StreamReader<u8>) -> FutureReader<Result<(), ErrorCode>>;

    fn receive(&self) -> (StreamReader<u8>, FutureReader<Result<(), ErrorCode>>);
}

/// One end of a connection, with both halves in use.
pub(crate) struct End<S> {
    pub(crate) socket: S,
    pub(crate) received: StreamReader<u8>,
    pub(crate) receive: FutureReader<Result<(), ErrorCode>>,
    pub(crate) to_send: StreamWriter<u8>,
    pub(crate) send: FutureReader<Result<(), ErrorCode>>,
}

impl<S: ByteSocket> End<S> {
    pub(crate) fn of(socket: S) -> End<S> {
        let (to_send, data) = wit_stream::new();
        let send = socket.send(data);
        let (received, receive) = socket.receive();
        End {
            socket,
            received,
            receive,
            to_send,
            send,
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let rest = self.to_send.write_all(bytes.to_vec()).await;
        match rest.len() {
            0 => Ok(()),
            left => Err(format!("{left} bytes were not taken").into()),
        }
    }

    pub(crate) async fn read(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        read(&mut self.received, count).await
    }
}

/// Reads so many bytes; fails if the stream ends before.
pub(crate) async fn read(from: &mut StreamReader<u8>, count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let room = Vec::with_capacity(count - bytes.len());
        let (result, part) = from.read(room).await;
        if !matches!(result, StreamResult::Complete(1..)) {
            return Err(format!("{result:?} after {} bytes", bytes.len()).into());
        }
        bytes.extend(part);
    }
    Ok(bytes)
}

/// Polls the operation once.
pub(crate) fn at_once<T>(operation: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    operation.poll(&mut Context::from_waker(Waker::noop()))
}

//! Transports over the component model's byte streams. A socket has two of them, each with
//! a result that says how it ended.

use std::future::{Future, Ready, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;

use futures::future::LocalBoxFuture;
use wasi::wit_stream;
use wit_bindgen::rt::async_support::{FutureReader, StreamReader, StreamResult, StreamWriter};

use super::{Received, Sink, Source};
use crate::error::ErrorCode;

/// The result with which a half of a transport ends.
pub(crate) type Ending = LocalBoxFuture<'static, Result<(), ErrorCode>>;

/// The result with which WASI ends a half of a socket's connection.
type SocketResult = FutureReader<Result<(), wasi::sockets::types::ErrorCode>>;

/// Returns both halves of a socket's transport, from the result of its `receive` and from
/// its `send`.
pub(crate) fn halves(
    (received, end): (StreamReader<u8>, SocketResult),
    send: &dyn Fn(StreamReader<u8>) -> SocketResult,
) -> (RawSource<Ending>, RawSink<Ending>) {
    let (to_send, stream) = wit_stream::new();
    let sent = send(stream);
    (
        RawSource::with_result(received, Box::pin(outcome(end))),
        RawSink::with_result(to_send, Box::pin(outcome(sent))),
    )
}

async fn outcome(ended: SocketResult) -> Result<(), ErrorCode> {
    ended.await.map_err(ErrorCode::from_wasi)
}

/// Receives from a byte stream; `result` says how the stream ended.
pub(crate) struct RawSource<R> {
    stream: StreamReader<u8>,
    result: Option<R>,
}

/// Sends into a byte stream; `result` says how its reader, usually the host, ended.
pub(crate) struct RawSink<R> {
    stream: Option<StreamWriter<u8>>,
    result: Option<R>,
}

impl RawSource<Ready<Result<(), ErrorCode>>> {
    /// Receives from a byte stream without a result, whose end is never an error.
    pub(crate) fn new(stream: StreamReader<u8>) -> Self {
        RawSource::with_result(stream, ready(Ok(())))
    }
}

impl RawSink<Ready<Result<(), ErrorCode>>> {
    /// Returns a sink, and the byte stream that it feeds.
    pub(crate) fn new() -> (Self, StreamReader<u8>) {
        let (writer, reader) = wit_stream::new();
        (RawSink::with_result(writer, ready(Ok(()))), reader)
    }
}

impl<R: Future<Output = Result<(), ErrorCode>>> RawSource<R> {
    pub(crate) fn with_result(stream: StreamReader<u8>, result: R) -> Self {
        RawSource {
            stream,
            result: Some(result),
        }
    }
}

impl<R: Future<Output = Result<(), ErrorCode>>> Source for RawSource<R> {
    async fn receive(
        &mut self,
        buffer: Vec<u8>,
        give_up: impl Fn() -> bool,
    ) -> (Received, Vec<u8>) {
        let mut read = pin!(self.stream.read(buffer));
        let (result, buffer) = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Pending if give_up() => Poll::Ready(read.as_mut().cancel()),
            read => read,
        })
        .await;
        let received = match result {
            StreamResult::Complete(_) => Received::Bytes,
            StreamResult::Cancelled => Received::Nothing,
            StreamResult::Dropped => Received::Over,
        };
        (received, buffer)
    }

    async fn outcome(&mut self) -> Result<(), ErrorCode> {
        match self.result.take() {
            Some(result) => result.await,
            None => Ok(()),
        }
    }
}

impl<R: Future<Output = Result<(), ErrorCode>>> RawSink<R> {
    pub(crate) fn with_result(stream: StreamWriter<u8>, result: R) -> Self {
        RawSink {
            stream: Some(stream),
            result: Some(result),
        }
    }

    async fn outcome(&mut self) -> Result<(), ErrorCode> {
        match self.result.take() {
            Some(result) => result.await,
            None => Ok(()),
        }
    }
}

impl<R: Future<Output = Result<(), ErrorCode>>> Sink for RawSink<R> {
    async fn send(
        &mut self,
        data: Vec<u8>,
        mut progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        let Some(stream) = self.stream.as_mut() else {
            return (Err(ErrorCode::ConnectionBroken), data);
        };
        let (mut result, mut rest) = stream.write(data).await;
        loop {
            match result {
                StreamResult::Complete(count) => progress(count),
                StreamResult::Cancelled => {}
                StreamResult::Dropped => {
                    // The reader is gone; the result says why.
                    let code = match self.outcome().await {
                        Ok(()) => ErrorCode::ConnectionBroken,
                        Err(code) => code,
                    };
                    return (Err(code), rest.into_vec());
                }
            }
            if rest.remaining() == 0 {
                return (Ok(()), rest.into_vec());
            }
            (result, rest) = stream.write_buf(rest).await;
        }
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        drop(self.stream.take());
        self.outcome().await
    }
}

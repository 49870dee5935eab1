//! Readers and writers of the component model's byte streams: standard streams,
//! files, HTTP bodies.

use std::rc::Rc;

use wit_bindgen::rt::async_support::{StreamReader as RawStream, StreamResult};

use crate::address::Names;
use crate::connection::Connection;
use crate::error::{ErrorCode, WriteError};
use crate::limit;
use crate::runtime::executor;
use crate::transport::raw::{RawSink, RawSource};
use crate::transport::{Received, Sink, Source};
use crate::{StreamReader, StreamWriter};

/// The number of bytes that are moved from one stream to another at a time.
const CHUNK: usize = 64 * 1024;

/// A byte stream of the component model: the readable end of a `stream<u8>`, such as a
/// file's content or the body of an HTTP message.
///
/// With the feature `bindings` it converts from and into wit-bindgen's `StreamReader<u8>`.
#[derive(Debug)]
#[must_use = "dropping a byte stream ends it"]
pub struct ByteStream(pub(crate) RawStream<u8>);

#[cfg(feature = "bindings")]
impl From<RawStream<u8>> for ByteStream {
    fn from(stream: RawStream<u8>) -> ByteStream {
        ByteStream(stream)
    }
}

#[cfg(feature = "bindings")]
impl From<ByteStream> for RawStream<u8> {
    fn from(stream: ByteStream) -> RawStream<u8> {
        stream.0
    }
}

/// Returns a reader of a byte stream. Its limit is 64 KiB; see
/// [`StreamReader::set_limit`].
pub fn from_stream(stream: impl Into<ByteStream>) -> StreamReader {
    reader(RawSource::new(stream.into().0), limit::DEFAULT_LIMIT)
}

/// Makes a pipe: a writer, and the byte stream that has what is written.
///
/// [`close`](StreamWriter::close) and [`write_eof`](StreamWriter::write_eof) end the byte
/// stream. Pass it to a function that takes a `stream<u8>`, or read it with [`from_stream`].
pub fn pipe() -> (StreamWriter, ByteStream) {
    let (sink, stream) = RawSink::new();
    (writer(sink, limit::DEFAULT_LIMIT), ByteStream(stream))
}

/// Returns a reader that receives from `source` and has no sending half.
pub(crate) fn reader(source: impl Source + 'static, limit: usize) -> StreamReader {
    let connection = Connection::new(limit, Names::default());
    let (reader, _) = connection.handles();
    run(connection, source, Nothing);
    reader
}

/// Returns a writer that sends to `sink` and has no receiving half.
pub(crate) fn writer(sink: impl Sink + 'static, limit: usize) -> StreamWriter {
    let connection = Connection::new(limit, Names::default());
    let (_, writer) = connection.handles();
    run(connection, Nothing, sink);
    writer
}

fn run(connection: Rc<Connection>, source: impl Source + 'static, sink: impl Sink + 'static) {
    executor::detach(async move {
        connection.clone().run(source, sink).await;
        connection.finished();
    });
}

impl StreamReader {
    /// Turns the rest of the data into a byte stream, the buffered bytes first.
    ///
    /// The byte stream ends with the data, and also when the connection fails:
    /// [`StreamWriter::wait_closed`] tells the two apart.
    pub fn into_stream(self) -> ByteStream {
        let (mut sink, stream) = RawSink::new();
        executor::detach(async move {
            while let Ok(bytes) = self.read(CHUNK).await {
                if bytes.is_empty() || sink.send(bytes.into(), |_| {}).await.0.is_err() {
                    break;
                }
            }
        });
        ByteStream(stream)
    }
}

impl StreamWriter {
    /// Writes all bytes of the byte stream, draining in between. Returns their number.
    ///
    /// # Errors
    /// As for [`write`](Self::write) and [`drain`](Self::drain).
    ///
    /// # Cancel safety
    /// Bytes that were written stay written; the rest of the byte stream is lost.
    pub async fn write_stream(&self, stream: impl Into<ByteStream>) -> Result<u64, WriteError> {
        let ByteStream(mut stream) = stream.into();
        let mut total = 0;
        let mut buffer = Vec::with_capacity(CHUNK);
        loop {
            let result;
            (result, buffer) = stream.read(buffer).await;
            self.write(&buffer)?;
            total += buffer.len() as u64;
            buffer.clear();
            self.drain().await?;
            if result == StreamResult::Dropped {
                return Ok(total);
            }
        }
    }
}

/// The missing half of a connection that only reads or only writes.
struct Nothing;

impl Source for Nothing {
    async fn receive(&mut self, buffer: Vec<u8>, _: impl Fn() -> bool) -> (Received, Vec<u8>) {
        (Received::Over, buffer)
    }

    async fn outcome(&mut self) -> Result<(), ErrorCode> {
        Ok(())
    }
}

impl Sink for Nothing {
    async fn send(
        &mut self,
        data: Vec<u8>,
        mut progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        progress(data.len());
        (Ok(()), data)
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        Ok(())
    }
}

/// Checks the limit, and returns a reader of a byte stream with it.
#[cfg(feature = "component")]
pub(crate) fn checked_reader(
    stream: RawStream<u8>,
    limit: Option<u64>,
) -> Result<StreamReader, crate::error::ReadError> {
    let limit = limit::limit(limit).map_err(crate::error::ReadError::InvalidArgument)?;
    Ok(reader(RawSource::new(stream), limit))
}

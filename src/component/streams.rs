//! The exports of `asyncio:streams/streams`.

use std::cell::RefCell;

use wit_bindgen::rt::async_support::StreamReader as RawStream;

use super::Component;
use super::canceller::Canceller;
use super::convert::duration;
use super::socket_options::SocketOptions;
use super::ssl::SslContext;
use super::wit::ssl::SslContextBorrow;
use super::wit::streams::{
    CancellerBorrow, ConnectOptions as ConnectOptionsHandle, SocketOptions as SocketOptionsHandle,
    StreamReader as ReaderHandle, StreamWriter as WriterHandle,
};
use super::wit::streams::{
    Guest, GuestConnectOptions, GuestSeparators, GuestStreamReader, GuestStreamWriter, ReadRequest,
};
use super::wit::types as wit;
use crate::buffer::separators;
use crate::buffer::{Buffer, Found};
use crate::connect::ConnectOptions;
use crate::error::ReadError;
use crate::reader::lines;
use crate::runtime::executor;
use crate::{ByteStream, StreamReader, StreamWriter, TlsOptions, WaterMarks};

pub(super) type Pair = (ReaderHandle, WriterHandle);

pub(super) fn pair((reader, writer): (StreamReader, StreamWriter)) -> Pair {
    (ReaderHandle::new(reader), WriterHandle::new(writer))
}

/// The options of a connection, which the application sets one by one.
#[derive(Default)]
pub(super) struct Options(RefCell<ConnectOptions>, RefCell<Canceller>);

impl Options {
    pub(super) fn take(options: Option<ConnectOptionsHandle>) -> (ConnectOptions, Canceller) {
        let options: Options = options
            .map(|options| options.into_inner())
            .unwrap_or_default();
        (options.0.into_inner(), options.1.into_inner())
    }

    fn set(&self, set: impl FnOnce(&mut ConnectOptions)) {
        set(&mut self.0.borrow_mut());
    }
}

impl Guest for Component {
    type Canceller = Canceller;
    type ConnectOptions = Options;
    type Separators = Separators;
    type StreamReader = StreamReader;
    type StreamWriter = StreamWriter;
    type SocketOptions = SocketOptions;

    async fn open_connection(
        host: Option<String>,
        port: wit::Port,
        options: Option<ConnectOptionsHandle>,
    ) -> Result<Pair, wit::ConnectError> {
        executor::export(async {
            let (options, canceller) = Options::take(options);
            let opening = async {
                let opened = options.open_connection(host.as_deref(), port).await;
                Ok(pair(opened?))
            };
            canceller
                .watch(opening, || wit::ConnectError::Timeout)
                .await
        })
        .await
    }

    async fn open_unix_connection(
        address: wit::UnixAddress,
        options: Option<ConnectOptionsHandle>,
    ) -> Result<Pair, wit::ConnectError> {
        executor::export(async {
            let (options, canceller) = Options::take(options);
            let opening = async { Ok(pair(options.open_unix_connection(address).await?)) };
            canceller
                .watch(opening, || wit::ConnectError::Timeout)
                .await
        })
        .await
    }

    async fn getaddrinfo(
        host: Option<String>,
        port: wit::Port,
        options: Option<ConnectOptionsHandle>,
    ) -> Result<Vec<wit::SocketAddress>, wit::ConnectError> {
        executor::export(async {
            let (options, canceller) = Options::take(options);
            let looking = async {
                let found = options.getaddrinfo(host.as_deref(), port).await?;
                Ok(found.into_iter().map(Into::into).collect())
            };
            canceller
                .watch(looking, || wit::ConnectError::Timeout)
                .await
        })
        .await
    }

    async fn from_stream(
        data: RawStream<u8>,
        limit: Option<u64>,
    ) -> Result<ReaderHandle, wit::ReadError> {
        executor::export(async {
            Ok(ReaderHandle::new(crate::byte_stream::checked_reader(
                data, limit,
            )?))
        })
        .await
    }

    async fn from_sink() -> (WriterHandle, RawStream<u8>) {
        executor::export(async {
            let (writer, stream) = crate::pipe();
            (WriterHandle::new(writer), stream.0)
        })
        .await
    }
}

impl GuestConnectOptions for Options {
    fn new() -> Options {
        Options::default()
    }

    fn set_limit(&self, limit: u64) {
        self.set(|options| options.limit = Some(limit));
    }

    fn set_family(&self, family: wit::IpAddressFamily) {
        self.set(|options| options.family = Some(family.into()));
    }

    fn set_proto(&self, proto: u32) {
        self.set(|options| options.proto = proto);
    }

    fn set_flags(&self, value: wit::LookupFlags) {
        self.set(|options| options.flags = value.into());
    }

    fn set_local_addr(&self, host: Option<String>, port: wit::Port) {
        self.set(|options| options.local_addr = Some((host.as_deref().into(), port.into())));
    }

    fn set_happy_eyeballs_delay(&self, delay: u64) {
        self.set(|options| options.happy_eyeballs_delay = Some(duration(delay)));
    }

    fn set_interleave(&self, count: u32) {
        self.set(|options| options.interleave = Some(size(u64::from(count))));
    }

    fn set_timeout(&self, timeout: u64) {
        self.set(|options| options.timeout = Some(duration(timeout)));
    }

    fn set_keep_alive(&self, keep_alive: bool) {
        self.set(|options| options.keep_alive = keep_alive);
    }

    fn set_canceller(&self, canceller: CancellerBorrow<'_>) {
        *self.1.borrow_mut() = canceller.get::<Canceller>().clone();
    }

    fn set_ssl(&self, context: SslContextBorrow<'_>) {
        let context = context.get::<SslContext>().current();
        self.set(|options| options.tls.set_context(context));
    }

    fn set_server_hostname(&self, name: String) {
        self.set(|options| options.tls.server_hostname = Some(name));
    }

    fn set_ssl_handshake_timeout(&self, timeout: u64) {
        self.set(|options| options.tls.handshake_timeout = Some(duration(timeout)));
    }

    fn set_ssl_shutdown_timeout(&self, timeout: u64) {
        self.set(|options| options.tls.shutdown_timeout = Some(duration(timeout)));
    }
}

/// Converts a count of bytes. A count that exceeds `usize` exceeds memory, too.
pub(super) fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn separators(list: &[Vec<u8>]) -> Result<separators::Separators<'_>, ReadError> {
    separators::Separators::new(list.iter().map(Vec::as_slice))
}

/// Separators for any number of reads, or the error that each of these reads returns.
pub(super) struct Separators(Result<separators::Separators<'static>, ReadError>);

impl Separators {
    pub(super) fn of<'a>(list: impl Iterator<Item = &'a [u8]>) -> Separators {
        Separators(separators::Separators::new(list).map(|separators| separators.to_owned()))
    }
}

impl GuestSeparators for Separators {
    fn new(list: Vec<Vec<u8>>) -> Separators {
        Separators::of(list.iter().map(Vec::as_slice))
    }
}

impl GuestStreamReader for StreamReader {
    async fn read(&self, n: Option<u64>) -> Result<Vec<u8>, wit::ReadError> {
        executor::export(async {
            let bytes = match n {
                Some(n) => StreamReader::read(self, size(n)).await?,
                None => self.read_to_end().await?,
            };
            Ok(bytes.into())
        })
        .await
    }

    async fn readline(&self, limit: Option<u64>) -> Result<Vec<u8>, wit::ReadError> {
        executor::export(async { Ok(self.line(limit.map(size)).await?.into()) }).await
    }

    async fn readexactly(&self, n: u64) -> Result<Vec<u8>, wit::ReadError> {
        executor::export(async { Ok(StreamReader::readexactly(self, size(n)).await?.into()) }).await
    }

    async fn readuntil(
        &self,
        list: Vec<Vec<u8>>,
        limit: Option<u64>,
    ) -> Result<Vec<u8>, wit::ReadError> {
        executor::export(async {
            let list = separators(&list)?;
            Ok(self.until(&list, limit.map(size)).await?.into())
        })
        .await
    }

    async fn readlines(
        &self,
        max: u32,
        limit: Option<u64>,
    ) -> Result<Vec<Vec<u8>>, wit::ReadError> {
        executor::export(async { Ok(self.several(size(u64::from(max)), limit.map(size)).await?) })
            .await
    }

    async fn ready(&self, request: ReadRequest<'_>) -> Result<(), wit::ReadError> {
        executor::export(async {
            let wait = |ready: bool, wanted: usize| match ready {
                true => Found::Ready(()),
                false => Found::Wait(wanted),
            };
            let ready: Result<(), ReadError> = match request {
                ReadRequest::Some(n) => {
                    StreamReader::ready(self, |buffer| {
                        wait(n == 0 || !buffer.is_empty() || buffer.ended(), 1)
                    })
                    .await
                }
                ReadRequest::All => {
                    StreamReader::ready(self, |buffer| wait(buffer.ended(), usize::MAX)).await
                }
                ReadRequest::Exactly(n) => {
                    let n = size(n);
                    StreamReader::ready(self, |buffer| wait(buffer.len() >= n || buffer.ended(), n))
                        .await
                }
                ReadRequest::Line(limit) => {
                    self.ready_until(&separators::Separators::newline(), limit)
                        .await
                }
                // The read that follows reports an error of the separators.
                ReadRequest::Until((list, limit)) => match separators(&list) {
                    Ok(list) => self.ready_until(&list, limit).await,
                    Err(_) => Ok(()),
                },
                ReadRequest::UntilOneOf((list, limit)) => match &list.get::<Separators>().0 {
                    Ok(list) => self.ready_until(list, limit).await,
                    Err(_) => Ok(()),
                },
            };
            Ok(ready?)
        })
        .await
    }

    fn read_nowait(&self, request: ReadRequest<'_>) -> Result<Option<Vec<u8>>, wit::ReadError> {
        let found = match request {
            ReadRequest::Some(n) => self.serve_now(|buffer| buffer.some(size(n)))?.map(Ok),
            ReadRequest::All => {
                let all = self.serve_now(Buffer::all);
                all.map_err(|error| self.truncated(error))?.map(Ok)
            }
            ReadRequest::Exactly(n) => self.serve_now(|buffer| buffer.exactly(size(n)))?,
            ReadRequest::Line(limit) => {
                self.serve_now(|buffer| buffer.line(limit.map_or(buffer.limit(), size)))?
            }
            ReadRequest::Until((list, limit)) => {
                let list = separators(&list)?;
                self.serve_now(|buffer| buffer.until(&list, limit.map_or(buffer.limit(), size)))?
            }
            ReadRequest::UntilOneOf((list, limit)) => {
                let list = list.get::<Separators>().0.as_ref().map_err(Clone::clone)?;
                self.serve_now(|buffer| buffer.until(list, limit.map_or(buffer.limit(), size)))?
            }
        };
        Ok(found.transpose()?.map(Vec::from))
    }

    fn readlines_nowait(
        &self,
        max: u32,
        limit: Option<u64>,
    ) -> Result<Option<Vec<Vec<u8>>>, wit::ReadError> {
        let (max, limit) = (size(u64::from(max)), limit.map(size));
        let found = self.serve_now(|buffer| lines(buffer, max, limit))?;
        Ok(found.transpose()?)
    }

    fn discard_line_nowait(&self) -> Result<(u64, bool), wit::ReadError> {
        let found = self.serve_now(|buffer| match buffer.discard_line() {
            (0, false) => Found::Wait(1),
            found => Found::Ready(found),
        })?;
        let (count, over) = found.unwrap_or_default();
        Ok((count as u64, over))
    }

    async fn discard_line(&self) -> Result<u64, wit::ReadError> {
        executor::export(async { Ok(StreamReader::discard_line(self).await?) }).await
    }

    fn at_eof(&self) -> bool {
        StreamReader::at_eof(self)
    }

    fn buffered(&self) -> u64 {
        StreamReader::buffered(self) as u64
    }

    fn limit(&self) -> u64 {
        StreamReader::limit(self) as u64
    }

    fn set_limit(&self, limit: u64) -> Result<(), wit::ReadError> {
        Ok(StreamReader::set_limit(self, size(limit))?)
    }

    async fn into_stream(this: ReaderHandle) -> RawStream<u8> {
        executor::export(async { StreamReader::into_stream(this.into_inner()).0 }).await
    }
}

impl StreamReader {
    async fn ready_until(
        &self,
        separators: &separators::Separators<'_>,
        limit: Option<u64>,
    ) -> Result<(), ReadError> {
        StreamReader::ready(self, |buffer| {
            buffer.until_ready(separators, limit.map_or(buffer.limit(), size))
        })
        .await
    }
}

impl GuestStreamWriter for StreamWriter {
    fn write(&self, data: Vec<u8>) -> Result<(), wit::WriteError> {
        Ok(StreamWriter::write(self, data)?)
    }

    fn writelines(&self, data: Vec<Vec<u8>>) -> Result<(), wit::WriteError> {
        Ok(StreamWriter::writelines(self, data)?)
    }

    async fn write_stream(&self, data: RawStream<u8>) -> Result<u64, wit::WriteError> {
        executor::export(async { Ok(StreamWriter::write_stream(self, ByteStream(data)).await?) })
            .await
    }

    async fn drain(&self) -> Result<(), wit::WriteError> {
        executor::export(async { Ok(StreamWriter::drain(self).await?) }).await
    }

    fn drain_nowait(&self) -> Result<bool, wit::WriteError> {
        Ok(StreamWriter::drain_now(self)?)
    }

    fn write_eof(&self) -> Result<(), wit::WriteError> {
        Ok(StreamWriter::write_eof(self)?)
    }

    fn can_write_eof(&self) -> bool {
        StreamWriter::can_write_eof(self)
    }

    fn close(&self) {
        StreamWriter::close(self);
    }

    fn is_closing(&self) -> bool {
        StreamWriter::is_closing(self)
    }

    async fn wait_closed(&self) -> Result<(), wit::ErrorCode> {
        executor::export(async { Ok(StreamWriter::wait_closed(self).await?) }).await
    }

    fn get_extra_info(&self, name: String) -> Option<wit::ExtraInfo> {
        StreamWriter::get_extra_info(self, &name).map(Into::into)
    }

    fn peername(&self) -> Option<wit::SocketAddress> {
        StreamWriter::peername(self).map(Into::into)
    }

    fn sockname(&self) -> Option<wit::SocketAddress> {
        StreamWriter::sockname(self).map(Into::into)
    }

    fn socket_options(&self) -> SocketOptionsHandle {
        SocketOptionsHandle::new(SocketOptions(self.downgrade()))
    }

    fn abort(&self) {
        self.transport().abort();
    }

    fn set_write_buffer_limits(
        &self,
        high: Option<u64>,
        low: Option<u64>,
    ) -> Result<(), wit::WriteError> {
        let marks = WaterMarks::new(high.map(size), low.map(size));
        Ok(self.transport().set_write_buffer_limits(marks)?)
    }

    fn get_write_buffer_limits(&self) -> (u64, u64) {
        let WaterMarks { high, low } = self.transport().get_write_buffer_limits();
        (low as u64, high as u64)
    }

    fn get_write_buffer_size(&self) -> u64 {
        self.transport().get_write_buffer_size() as u64
    }

    fn pause_reading(&self) {
        self.transport().pause_reading();
    }

    fn resume_reading(&self) {
        self.transport().resume_reading();
    }

    fn is_reading(&self) -> bool {
        self.transport().is_reading()
    }

    async fn start_tls(
        &self,
        context: SslContextBorrow<'_>,
        server_hostname: Option<String>,
        ssl_handshake_timeout: Option<u64>,
        ssl_shutdown_timeout: Option<u64>,
    ) -> Result<(), wit::ConnectError> {
        let mut options = TlsOptions::new(context.get::<SslContext>().current());
        options.0.server_hostname = server_hostname;
        options.0.handshake_timeout = ssl_handshake_timeout.map(duration);
        options.0.shutdown_timeout = ssl_shutdown_timeout.map(duration);
        executor::export(async { Ok(StreamWriter::start_tls(self, options).await?) }).await
    }
}

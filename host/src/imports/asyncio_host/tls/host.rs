//! The methods that guests call.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::super::bindings::tls::{
    Connection as SessionName, Context as ContextName, Details, ErrorCode, Host, HostConnection,
    HostConnectionWithStore, HostContext, Side as WitSide, Transport, VerifyMode, Version,
};
use super::carrier::Carrier;
use super::context::{OUT_OF_MEMORY, TlsContext};
use super::session::{TlsSession, handshake};
use super::shared_session::{Outcome, SharedSession};
use super::streams::{SessionSink, SessionSource};
use crate::access::Request;
use crate::ctx::{StreamsCtx, StreamsCtxView, StreamsView};
use crate::imports::byte_streams::{Received, cannot_receive, cannot_send};
use crate::imports::wasi_sockets::tcp;
use crate::imports::{StreamsImports, table};
use crate::sockets::stream::ConnectedSocket;
use crate::sockets::unix::UnixSocket;
use crate::tls::{EndpointError, Side, Tls, Verify};

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// The session that a handle stands for.
fn shared(
    view: &mut StreamsCtxView<'_>,
    handle: &Resource<SessionName>,
) -> wasmtime::Result<Arc<SharedSession>> {
    let session: &mut TlsSession = table::get(view.table, handle)?;
    Ok(Arc::clone(session.shared()))
}

/// Bytes that a session takes: rustls's state, its buffers of records, and the pieces that are
/// read ahead. A session that rests takes a third.
const SESSION: usize = 64 * 1024;

/// The first byte of a handshake record: RFC 8446, section 5.1.
const HANDSHAKE: u8 = 22;

impl Host for StreamsCtxView<'_> {}

impl HostContext for StreamsCtxView<'_> {
    fn new(&mut self, side: WitSide) -> wasmtime::Result<Resource<ContextName>> {
        let limit = self.ctx.limits().tls_contexts;
        if self.ctx.tls_contexts >= limit {
            wasmtime::bail!("the limit of TLS contexts is {limit}");
        }
        let Some(context) = TlsContext::new(side.into(), &self.ctx.guard) else {
            wasmtime::bail!("the limit of memory leaves no room for a TLS context");
        };
        let handle = table::push(self.table, context)?;
        self.ctx.tls_contexts += 1;
        Ok(handle)
    }

    fn set_alpn_protocols(
        &mut self,
        context: Resource<ContextName>,
        protocols: Vec<String>,
    ) -> Answer<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        Ok(context.set_alpn_protocols(protocols, &self.ctx.guard))
    }

    fn load_verify_locations(
        &mut self,
        context: Resource<ContextName>,
        pem: Vec<u8>,
    ) -> Answer<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        if context.is_client() && !self.ctx.tls.permits_guest_roots() {
            return Ok(Err(denied(self.ctx, Request::TlsRoots)));
        }
        Ok(context.add_roots(&pem, &self.ctx.guard))
    }

    fn use_identity(&mut self, context: Resource<ContextName>, name: String) -> Answer<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        let Some(identity) = self.ctx.tls.identity(&name) else {
            return Ok(Err(denied(self.ctx, Request::TlsIdentity(name))));
        };
        Ok(context.add_identity(identity, &self.ctx.guard))
    }

    fn set_verify_mode(&mut self, context: Resource<ContextName>, mode: VerifyMode) -> Answer<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        let mode = Verify::from(mode);
        if context.leaves_unverified(mode) && !self.ctx.tls.permits_unverified() {
            return Ok(Err(denied(self.ctx, Request::TlsUnverified)));
        }
        Ok(context.set_verify(mode))
    }

    fn set_minimum_version(
        &mut self,
        context: Resource<ContextName>,
        version: Version,
    ) -> wasmtime::Result<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        context.set_minimum_version(version.into());
        Ok(())
    }

    fn set_require_alpn(
        &mut self,
        context: Resource<ContextName>,
        require: bool,
    ) -> wasmtime::Result<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        context.set_require_alpn(require);
        Ok(())
    }

    fn set_ignore_unexpected_eof(
        &mut self,
        context: Resource<ContextName>,
        ignore: bool,
    ) -> wasmtime::Result<()> {
        let context: &mut TlsContext = table::get(self.table, &context)?;
        context.set_ignore_unexpected_eof(ignore);
        Ok(())
    }

    fn wrap_socket(
        &mut self,
        context: Resource<ContextName>,
        socket: Transport,
        received: Vec<u8>,
        server_hostname: Option<String>,
    ) -> Answer<Resource<SessionName>> {
        let below = match socket {
            Transport::Tcp(socket) => Below::socket(tcp::take(self, &socket)?.into_connected()),
            Transport::Unix(socket) => {
                let socket: UnixSocket = table::take(self.table, &socket)?;
                Below::socket(socket.into_connected())
            }
            Transport::Tls(session) => Ok(Below::Session(table::take(self.table, &session)?)),
        };
        let context: &mut TlsContext = table::get(self.table, &context)?;
        match wrap(self.ctx, context, below, received, server_hostname) {
            Ok(connection) => Ok(Ok(table::push(self.table, connection)?)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn drop(&mut self, context: Resource<ContextName>) -> wasmtime::Result<()> {
        table::take::<TlsContext, _>(self.table, &context)?;
        self.ctx.tls_contexts = self.ctx.tls_contexts.saturating_sub(1);
        Ok(())
    }
}

/// The guest's connection that a session is to run on.
enum Below {
    Socket(ConnectedSocket),
    Session(TlsSession),
}

impl Below {
    fn socket(connected: Result<ConnectedSocket, SocketError>) -> Result<Below, ErrorCode> {
        connected.map(Below::Socket).map_err(ErrorCode::Socket)
    }

    /// Fails unless it can carry a session.
    fn check(&self) -> Result<(), ErrorCode> {
        match self {
            Below::Socket(socket) => socket.check_session().map_err(ErrorCode::Socket),
            Below::Session(session) => session.shared().check_carrier(),
        }
    }

    /// Takes it away from its streams, which end.
    fn take(self) -> Carrier {
        match self {
            Below::Socket(socket) => Carrier::Socket(socket.detach()),
            Below::Session(session) => session.into_carrier(),
        }
    }
}

/// Gives a connection to a new session, after all checks.
fn wrap(
    ctx: &StreamsCtx,
    context: &TlsContext,
    below: Result<Below, ErrorCode>,
    received: Vec<u8>,
    server_hostname: Option<String>,
) -> Result<TlsSession, ErrorCode> {
    let below = below?;
    below.check()?;
    let settings = context.settings();
    let expected = match settings.side {
        Side::Client => received.is_empty(),
        Side::Server => received.first().is_none_or(|first| *first == HANDSHAKE),
    };
    if !expected {
        return Err(ErrorCode::UnexpectedData);
    }
    let server_name = server_hostname.filter(|_| context.is_client());
    if let Some(name) = &server_name {
        Tls::check_server_name(name).map_err(ErrorCode::InvalidArgument)?;
    }
    let name = server_name.as_ref().map_or(0, String::len);
    let charge = ctx.guard.charge(SESSION + received.len() + name);
    let charge = charge.ok_or(OUT_OF_MEMORY)?;
    let endpoint = ctx.tls.endpoint_within(settings, ctx.guard.budget());
    let endpoint = endpoint.map_err(|why| match why {
        EndpointError::Setting(why) => ErrorCode::InvalidArgument(why),
        EndpointError::OverBudget(over) => {
            ctx.guard.memory_denied(over);
            OUT_OF_MEMORY
        }
    })?;
    if context.is_client() && (server_name.is_none() || settings.verify == Verify::None) {
        if !ctx.tls.permits_unverified() {
            return Err(denied(ctx, Request::TlsUnverified));
        }
        ctx.guard.unverified();
    }
    Ok(TlsSession::new(
        below.take(),
        endpoint,
        received,
        server_name,
        settings.ignore_unexpected_eof,
        charge,
    ))
}

fn denied(ctx: &StreamsCtx, request: Request) -> ErrorCode {
    ctx.guard.not_granted(request);
    ErrorCode::AccessDenied
}

/// Implements methods by those of [`Options`](crate::sockets::stream::Options), on the
/// socket below the session.
macro_rules! options {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $ours:ident;)*) => {
        $(
            fn $name(
                &mut self,
                connection: Resource<SessionName>,
                $($arg: $ty),*
            ) -> wasmtime::Result<Result<$ret, SocketError>> {
                let socket = shared(self, &connection)?.socket();
                Ok(socket.and_then(|socket| socket.options().$ours($($arg),*)))
            }
        )*
    };
}

impl HostConnection for StreamsCtxView<'_> {
    options! {
        fn get_no_delay() -> bool = no_delay;
        fn set_no_delay(value: bool) -> () = set_no_delay;
        fn get_keep_alive_enabled() -> bool = keep_alive;
        fn set_keep_alive_enabled(value: bool) -> () = set_keep_alive;
        fn get_keep_alive_idle_time() -> u64 = keep_alive_idle_time;
        fn set_keep_alive_idle_time(value: u64) -> () = set_keep_alive_idle_time;
        fn get_keep_alive_interval() -> u64 = keep_alive_interval;
        fn set_keep_alive_interval(value: u64) -> () = set_keep_alive_interval;
        fn get_keep_alive_count() -> u32 = keep_alive_count;
        fn set_keep_alive_count(value: u32) -> () = set_keep_alive_count;
        fn get_receive_buffer_size() -> u64 = receive_buffer_size;
        fn set_receive_buffer_size(value: u64) -> () = set_receive_buffer_size;
        fn get_send_buffer_size() -> u64 = send_buffer_size;
        fn set_send_buffer_size(value: u64) -> () = set_send_buffer_size;
    }

    fn drop(&mut self, connection: Resource<SessionName>) -> wasmtime::Result<()> {
        table::take::<TlsSession, _>(self.table, &connection).map(drop)
    }
}

impl<T: StreamsView> HostConnectionWithStore<T> for StreamsImports {
    async fn handshake(
        store: &Accessor<T, Self>,
        connection: Resource<SessionName>,
        timeout: u64,
    ) -> Answer<Details> {
        let session = store.with(|mut store| shared(&mut store.get(), &connection))?;
        let begun = handshake(&session, Duration::from_nanos(timeout)).await;
        Ok(begun.map(Details::from))
    }

    fn send(
        mut store: Access<'_, T, Self>,
        connection: Resource<SessionName>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let session = shared(&mut store.get(), &connection)?;
        match session.begin_send() {
            Ok(()) => {
                data.pipe(&mut store, SessionSink::new(session.clone()))?;
                let sent = poll_fn(move |cx| session.poll_sent(cx).map(wasmtime::error::Ok));
                FutureReader::new(&mut store, sent)
            }
            Err(code) => cannot_send(store, data, code),
        }
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        connection: Resource<SessionName>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let session = shared(&mut store.get(), &connection)?;
        match session.begin_receive() {
            Ok(()) => {
                let (sender, mut told) = oneshot::channel();
                let source = SessionSource::new(session.clone());
                let data = StreamReader::new(&mut store, Received::new(source, sender))?;
                let received = poll_fn(move |cx| match Pin::new(&mut told).poll(cx) {
                    Poll::Pending => session.poll_over(cx).map(|why| Ok(Err(why))),
                    told => told,
                });
                Ok((data, FutureReader::new(&mut store, received)?))
            }
            Err(code) => cannot_receive(store, code),
        }
    }

    async fn close(
        store: &Accessor<T, Self>,
        connection: Resource<SessionName>,
        timeout: u64,
    ) -> Answer<()> {
        let session: TlsSession =
            store.with(|mut store| table::take(store.get().table, &connection))?;
        Ok(session.close(Duration::from_nanos(timeout)).await)
    }
}

//! What the guest calls.

use std::future::poll_fn;
use std::iter;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::connection::handshake;
use super::shared::Outcome;
use super::streams::{Receiving, Sending};
use super::{TlsContext, TlsSession};
use crate::imports::StreamsImports;
use crate::imports::asyncio_host::bindings::tls::{
    Details, ErrorCode, Host, HostConnection, HostConnectionWithStore, HostContext,
    Side as WitSide, Transport, VerifyMode, Version,
};
use crate::imports::wasi_sockets::tcp;
use crate::sockets::stream::ConnectedSocket;
use crate::sockets::unix;
use crate::tls::{Side, Tls, Verify};
use crate::{Request, StreamsCtx, StreamsCtxView, StreamsView};

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// The first byte of a handshake's record.
const HANDSHAKE: u8 = 22;

impl Host for StreamsCtxView<'_> {}

impl HostContext for StreamsCtxView<'_> {
    fn new(&mut self, side: WitSide) -> wasmtime::Result<Resource<TlsContext>> {
        Ok(self.table.push(TlsContext::new(side.into()))?)
    }

    fn set_alpn_protocols(
        &mut self,
        context: Resource<TlsContext>,
        protocols: Vec<String>,
    ) -> Answer<()> {
        Ok(self.table.get_mut(&context)?.set_alpn_protocols(protocols))
    }

    fn load_verify_locations(&mut self, context: Resource<TlsContext>, pem: Vec<u8>) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        if context.is_client() && !self.ctx.tls.permits_guest_roots() {
            return Ok(Err(denied(self.ctx, Request::TlsRoots)));
        }
        Ok(context.add_roots(&pem))
    }

    fn use_identity(&mut self, context: Resource<TlsContext>, name: String) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        let Some(identity) = self.ctx.tls.identity(&name) else {
            return Ok(Err(denied(self.ctx, Request::TlsIdentity(name))));
        };
        context.add_identity(identity);
        Ok(Ok(()))
    }

    fn set_verify_mode(&mut self, context: Resource<TlsContext>, mode: VerifyMode) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        let mode = Verify::from(mode);
        if context.leaves_unverified(mode) && !self.ctx.tls.permits_unverified() {
            return Ok(Err(denied(self.ctx, Request::TlsUnverified)));
        }
        Ok(context.set_verify(mode))
    }

    fn set_minimum_version(
        &mut self,
        context: Resource<TlsContext>,
        version: Version,
    ) -> wasmtime::Result<()> {
        self.table
            .get_mut(&context)?
            .set_minimum_version(version.into());
        Ok(())
    }

    fn wrap_socket(
        &mut self,
        context: Resource<TlsContext>,
        socket: Transport,
        received: Vec<u8>,
        server_hostname: Option<String>,
    ) -> Answer<Resource<TlsSession>> {
        let connected = match socket {
            Transport::Tcp(socket) => tcp::take(self, &socket)?.into_connected(),
            Transport::Unix(socket) => unix::take(self, socket)?.into_connected(),
        };
        let context = self.table.get(&context)?;
        match wrap(self.ctx, context, connected, received, server_hostname) {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn drop(&mut self, context: Resource<TlsContext>) -> wasmtime::Result<()> {
        self.table.delete(context)?;
        Ok(())
    }
}

/// Gives the connection of a socket to a session, if all is as it has to be.
fn wrap(
    ctx: &StreamsCtx,
    context: &TlsContext,
    connected: Result<ConnectedSocket, SocketError>,
    received: Vec<u8>,
    server_hostname: Option<String>,
) -> Result<TlsSession, ErrorCode> {
    let connected = connected.map_err(ErrorCode::Socket)?;
    connected.check_session().map_err(ErrorCode::Socket)?;
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
    let endpoint = (ctx.tls.endpoint(settings)).map_err(ErrorCode::InvalidArgument)?;
    if context.is_client() && (server_name.is_none() || settings.verify == Verify::None) {
        if !ctx.tls.permits_unverified() {
            return Err(denied(ctx, Request::TlsUnverified));
        }
        ctx.guard.unverified();
    }
    let connection = connected.detach();
    Ok(TlsSession::new(connection, endpoint, received, server_name))
}

fn denied(ctx: &StreamsCtx, request: Request) -> ErrorCode {
    ctx.guard.not_granted(request);
    ErrorCode::AccessDenied
}

impl HostConnection for StreamsCtxView<'_> {
    fn drop(&mut self, connection: Resource<TlsSession>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: StreamsView> HostConnectionWithStore<T> for StreamsImports {
    async fn handshake(
        store: &Accessor<T, Self>,
        connection: Resource<TlsSession>,
        timeout: u64,
    ) -> Answer<Details> {
        let session = store.with(|mut store| {
            let view = store.get();
            wasmtime::error::Ok(view.table.get(&connection)?.shared().clone())
        })?;
        let begun = handshake(&session, Duration::from_nanos(timeout)).await;
        Ok(begun.map(Details::from))
    }

    fn send(
        mut store: Access<'_, T, Self>,
        connection: Resource<TlsSession>,
        mut data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let session = store.get().table.get(&connection)?.shared().clone();
        match session.begin_send() {
            Ok(()) => {
                data.pipe(&mut store, Sending::new(session.clone()))?;
                let sent = poll_fn(move |cx| session.poll_sent(cx).map(wasmtime::error::Ok));
                FutureReader::new(&mut store, sent)
            }
            Err(code) => {
                data.close(&mut store)?;
                FutureReader::new(&mut store, async { wasmtime::error::Ok(Err(code)) })
            }
        }
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        connection: Resource<TlsSession>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let session = store.get().table.get(&connection)?.shared().clone();
        match session.begin_receive() {
            Ok(()) => {
                let (sender, mut told) = oneshot::channel();
                let receiving = Receiving::new(session.clone(), sender);
                let data = StreamReader::new(&mut store, receiving)?;
                let received = poll_fn(move |cx| match Pin::new(&mut told).poll(cx) {
                    Poll::Pending => session.poll_over(cx).map(|why| Ok(Err(why))),
                    told => told,
                });
                Ok((data, FutureReader::new(&mut store, received)?))
            }
            Err(code) => {
                let data = StreamReader::new(&mut store, iter::empty())?;
                let outcome = async { wasmtime::error::Ok(Err(code)) };
                Ok((data, FutureReader::new(&mut store, outcome)?))
            }
        }
    }

    async fn close(
        store: &Accessor<T, Self>,
        connection: Resource<TlsSession>,
        timeout: u64,
    ) -> Answer<()> {
        let connection = store.with(|mut store| store.get().table.delete(connection))?;
        Ok(connection.close(Duration::from_nanos(timeout)).await)
    }
}

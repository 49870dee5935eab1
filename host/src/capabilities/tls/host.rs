//! What the guest calls.

use std::future::poll_fn;
use std::iter;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};

use super::connection::handshake;
use super::shared::Outcome;
use super::streams::{Receiving, Sending};
use super::{Connection, Context};
use crate::capabilities::bindings::tls::{
    Details, ErrorCode, Host, HostConnection, HostConnectionWithStore, HostContext, Side,
    Transport, VerifyMode, Version,
};
use crate::sockets::{Sockets, tcp};
use crate::tls::{Tls, Verify};
use crate::{CtxView, View};

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// The first byte of a handshake's record.
const HANDSHAKE: u8 = 22;

impl Host for CtxView<'_> {}

impl HostContext for CtxView<'_> {
    fn new(&mut self, side: Side) -> wasmtime::Result<Resource<Context>> {
        Ok(self.table.push(Context::new(side.into()))?)
    }

    fn set_alpn_protocols(
        &mut self,
        context: Resource<Context>,
        protocols: Vec<String>,
    ) -> Answer<()> {
        Ok(self.table.get_mut(&context)?.set_alpn_protocols(protocols))
    }

    fn load_verify_locations(&mut self, context: Resource<Context>, pem: Vec<u8>) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        if context.is_client() && !self.ctx.gate.allows_guest_roots() {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        Ok(context.add_roots(&pem))
    }

    fn use_identity(&mut self, context: Resource<Context>, name: String) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        let Some(identity) = self.ctx.gate.identity(&name) else {
            return Ok(Err(ErrorCode::AccessDenied));
        };
        context.add_identity(identity);
        Ok(Ok(()))
    }

    fn set_verify_mode(&mut self, context: Resource<Context>, mode: VerifyMode) -> Answer<()> {
        let context = self.table.get_mut(&context)?;
        let mode = Verify::from(mode);
        if context.leaves_unverified(mode) && !self.ctx.gate.allows_unverified() {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        Ok(context.set_verify(mode))
    }

    fn set_minimum_version(
        &mut self,
        context: Resource<Context>,
        version: Version,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&context)?.set_minimum_version(version.into());
        Ok(())
    }

    fn wrap_socket(
        &mut self,
        context: Resource<Context>,
        Transport::Tcp(socket): Transport,
        received: Vec<u8>,
        server_hostname: Option<String>,
    ) -> Answer<Resource<Connection>> {
        let socket = tcp::take(self, &socket)?;
        let context = self.table.get(&context)?;
        match wrap(self, context, socket, received, server_hostname) {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.table.delete(context)?;
        Ok(())
    }
}

/// Gives the connection of `socket` to a session, if all is as it has to be.
fn wrap(
    view: &CtxView<'_>,
    context: &Context,
    socket: tcp::TcpSocket,
    received: Vec<u8>,
    server_hostname: Option<String>,
) -> Result<Connection, ErrorCode> {
    socket.check_session().map_err(ErrorCode::Socket)?;
    let server_name = match context.is_client() {
        true => server_hostname,
        false => None,
    };
    if context.is_client() {
        if !received.is_empty() {
            return Err(ErrorCode::UnexpectedData);
        }
        match &server_name {
            Some(name) => Tls::check_server_name(name).map_err(ErrorCode::InvalidArgument)?,
            None if view.ctx.gate.allows_unverified() => {}
            None => return Err(ErrorCode::AccessDenied),
        }
    } else if received.first().is_some_and(|first| *first != HANDSHAKE) {
        return Err(ErrorCode::UnexpectedData);
    }
    let endpoint = view.ctx.tls.endpoint(context.settings());
    let endpoint = endpoint.map_err(ErrorCode::InvalidArgument)?;
    let connection = socket.detach().map_err(ErrorCode::Socket)?;
    Ok(Connection::new(connection, endpoint, received, server_name))
}

impl HostConnection for CtxView<'_> {
    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: View> HostConnectionWithStore<T> for Sockets {
    async fn handshake(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
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
        connection: Resource<Connection>,
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
        connection: Resource<Connection>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let session = store.get().table.get(&connection)?.shared().clone();
        match session.begin_receive() {
            Ok(()) => {
                let (sender, outcome) = oneshot::channel();
                let data = StreamReader::new(&mut store, Receiving::new(session, sender))?;
                Ok((data, FutureReader::new(&mut store, outcome)?))
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
        connection: Resource<Connection>,
        timeout: u64,
    ) -> Answer<()> {
        let connection = store.with(|mut store| store.get().table.delete(connection))?;
        Ok(connection.close(Duration::from_nanos(timeout)).await)
    }
}

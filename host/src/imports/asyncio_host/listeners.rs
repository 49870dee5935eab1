//! `asyncio:host/listeners`: sockets that the operator has opened.

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::bindings::listeners::{Host, Listener};
use crate::access::{ListeningSocket, TakeError};
use crate::ctx::StreamsCtxView;
use crate::imports::{permit, table};
use crate::sockets::stream::code;
use crate::sockets::tcp::TcpSocket;
use crate::sockets::unix::UnixSocket;

/// The guest's socket, before it is in the table.
enum Taken {
    Tcp(TcpSocket),
    Unix(UnixSocket),
}

impl Host for StreamsCtxView<'_> {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.ctx.inherited.names())
    }

    fn take(&mut self, name: String) -> wasmtime::Result<Result<Listener, ErrorCode>> {
        Ok(Ok(match take(self, &name) {
            Err(code) => return Ok(Err(code)),
            Ok(Taken::Tcp(socket)) => Listener::Tcp(table::push(self.table, socket)?),
            Ok(Taken::Unix(socket)) => Listener::Unix(table::push(self.table, socket)?),
        }))
    }
}

fn take(view: &mut StreamsCtxView<'_>, name: &str) -> Result<Taken, ErrorCode> {
    let listeners = &view.ctx.inherited;
    let granted = match view.ctx.guard.inherited(listeners, name) {
        Ok(granted) => granted,
        Err(TakeError::Taken) => return Err(ErrorCode::InvalidState),
        Err(TakeError::Unknown) => return Err(ErrorCode::AccessDenied),
    };
    let permit = permit(&view.ctx.guard)?;
    let taken = match granted.get().socket().map_err(code)? {
        ListeningSocket::Tcp(socket) => {
            Taken::Tcp(TcpSocket::inherited(socket, &granted, permit).map_err(code)?)
        }
        ListeningSocket::Unix(socket) => {
            Taken::Unix(UnixSocket::inherited(socket, &granted, permit))
        }
    };
    // Only now: a guest that met a limit or an error can try again.
    view.ctx.inherited.taken(name);
    Ok(taken)
}

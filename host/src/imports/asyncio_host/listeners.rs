//! `asyncio:host/listeners`: sockets that the host has opened.

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::bindings::listeners::{Host, Listener};
use crate::StreamsCtxView;
use crate::access::{ListeningSocket, Request, TakeError};
use crate::imports::permit;
use crate::imports::wasi_sockets::tcp;
use crate::sockets::stream::code;
use crate::sockets::tcp::TcpSocket;
use crate::sockets::unix::UnixSocket;

/// What the guest gets, before it is in its table.
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
            Ok(Taken::Tcp(socket)) => Listener::Tcp(tcp::push(self.table, socket)?),
            Ok(Taken::Unix(socket)) => Listener::Unix(self.table.push(socket)?),
        }))
    }
}

fn take(view: &mut StreamsCtxView<'_>, name: &str) -> Result<Taken, ErrorCode> {
    let listener = match view.ctx.inherited.next(name) {
        Ok(listener) => listener.clone(),
        Err(TakeError::Taken) => return Err(ErrorCode::InvalidState),
        Err(TakeError::Unknown) => {
            view.ctx
                .guard
                .not_granted(Request::Listener(name.to_owned()));
            return Err(ErrorCode::AccessDenied);
        }
    };
    let permit = permit(&view.ctx.guard)?;
    let taken = match listener.socket().map_err(code)? {
        ListeningSocket::Tcp(socket) => {
            Taken::Tcp(TcpSocket::inherited(socket, listener, permit).map_err(code)?)
        }
        ListeningSocket::Unix(socket) => {
            Taken::Unix(UnixSocket::inherited(socket, listener, permit))
        }
    };
    view.ctx.inherited.taken(name);
    Ok(taken)
}

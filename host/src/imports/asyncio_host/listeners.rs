//! `asyncio:host/listeners`: sockets that the host has opened.

use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::bindings::listeners::{Host, Listener};
use crate::CtxView;
use crate::access::{NotThere, Socket, Wish};
use crate::imports::wasi_sockets::tcp;
use crate::imports::place;
use crate::sockets::stream::code;
use crate::sockets::tcp::TcpSocket;
use crate::sockets::unix::UnixSocket;

/// What the guest gets, before it is in its table.
enum Taken {
    Tcp(TcpSocket),
    Unix(UnixSocket),
}

impl Host for CtxView<'_> {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.ctx.handed.names())
    }

    fn take(&mut self, name: String) -> wasmtime::Result<Result<Listener, ErrorCode>> {
        Ok(Ok(match take(self, &name) {
            Err(code) => return Ok(Err(code)),
            Ok(Taken::Tcp(socket)) => Listener::Tcp(tcp::push(self.table, socket)?),
            Ok(Taken::Unix(socket)) => Listener::Unix(self.table.push(socket)?),
        }))
    }
}

fn take(view: &mut CtxView<'_>, name: &str) -> Result<Taken, ErrorCode> {
    let listener = match view.ctx.handed.next(name) {
        Ok(listener) => listener.clone(),
        Err(NotThere::Taken) => return Err(ErrorCode::InvalidState),
        Err(NotThere::Unknown) => {
            view.ctx.gate.not_granted(Wish::Listener(name.to_owned()));
            return Err(ErrorCode::AccessDenied);
        }
    };
    let place = place(&view.ctx.gate)?;
    let taken = match listener.socket().map_err(code)? {
        Socket::Tcp(socket) => {
            Taken::Tcp(TcpSocket::handed(socket, listener, place).map_err(code)?)
        }
        Socket::Unix(socket) => Taken::Unix(UnixSocket::handed(socket, listener, place)),
    };
    view.ctx.handed.taken(name);
    Ok(taken)
}

//! `asyncio:host/unix-sockets`: what the guest calls.

use std::iter;
use std::sync::Arc;

use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::bindings::unix_sockets::{
    Address, Credentials, ErrorCode, Host, HostUnixSocket, HostUnixSocketWithStore,
};
use crate::access::AccessGuard;
use crate::imports::{StreamsImports, permit};
use crate::policy::{DenyReason, UnixName, UnixUse};
use crate::sockets::stream::{self, Accepting, Outcome};
use crate::sockets::unix::{self, UnixSocket, UnixSocketError};
use crate::{StreamsCtxView, StreamsView};

type Handle = Resource<UnixSocket>;
type Answer<T> = wasmtime::Result<Result<T, SocketError>>;

/// In words, where the socket's own error has no name for it.
const NOT_FOUND: &str = "nothing is there";
const NOT_A_SOCKET: &str = "what is there is no socket";

impl Host for StreamsCtxView<'_> {}

impl HostUnixSocket for StreamsCtxView<'_> {
    fn create(&mut self) -> Answer<Handle> {
        let created = permit(&self.ctx.guard).and_then(UnixSocket::create);
        match created {
            Ok(socket) => Ok(Ok(self.table.push(socket)?)),
            Err(code) => Ok(Err(code)),
        }
    }

    fn pair(&mut self) -> Answer<(Handle, Handle)> {
        let guard = &self.ctx.guard;
        let permits = permit(guard).and_then(|first| Ok([first, permit(guard)?]));
        match permits.and_then(|permits| UnixSocket::pair(permits, &self.ctx.stop)) {
            Ok((one, other)) => Ok(Ok((self.table.push(one)?, self.table.push(other)?))),
            Err(code) => Ok(Err(code)),
        }
    }

    fn bind(
        &mut self,
        handle: Handle,
        address: Address,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let socket = self.table.get_mut(&handle)?;
        if let Err(code) = socket.check_new() {
            return Ok(Err(code.into()));
        }
        let name = match name(address) {
            Ok(name) => name,
            Err(why) => return Ok(Err(why)),
        };
        let Some(mode) = self.ctx.guard.unix_listen(&name) else {
            return Ok(Err(SocketError::AccessDenied.into()));
        };
        let bound = socket.bind(&name, mode, self.ctx.sharing.as_ref());
        let told = |why| told(&self.ctx.guard, UnixUse::Listen, &name, why);
        Ok(bound.map_err(told))
    }

    fn set_unlink(&mut self, handle: Handle, unlink: bool) -> wasmtime::Result<()> {
        self.table.get_mut(&handle)?.set_unlink(unlink);
        Ok(())
    }

    fn set_listen_backlog_size(&mut self, handle: Handle, value: u64) -> Answer<()> {
        Ok(self.table.get_mut(&handle)?.set_backlog(value))
    }

    fn send_nowait(&mut self, handle: Handle, data: Vec<u8>) -> Answer<u64> {
        let sent = self.table.get(&handle)?.send_now(&data);
        Ok(sent.map(|sent| sent as u64))
    }

    fn receive_nowait(&mut self, handle: Handle, length: u64) -> Answer<Option<Vec<u8>>> {
        Ok(self.table.get(&handle)?.receive_now(length))
    }

    fn get_local_address(&mut self, handle: Handle) -> Answer<Address> {
        Ok(self.table.get(&handle)?.local_address().map(Address::from))
    }

    fn get_remote_address(&mut self, handle: Handle) -> Answer<Address> {
        Ok(self.table.get(&handle)?.remote_address().map(Address::from))
    }

    fn get_peer_credentials(&mut self, handle: Handle) -> Answer<Credentials> {
        let credentials = self.table.get(&handle)?.peer_credentials();
        Ok(credentials.map(|peer| Credentials {
            // 0 stands for a process of which this one sees nothing.
            pid: (peer.pid()).and_then(|pid| u32::try_from(pid).ok().filter(|pid| *pid > 0)),
            uid: peer.uid(),
            gid: peer.gid(),
        }))
    }

    fn get_is_listening(&mut self, handle: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&handle)?.is_listening())
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        unix::take(self, handle)?.close();
        Ok(())
    }
}

impl<T: StreamsView> HostUnixSocketWithStore<T> for StreamsImports {
    async fn connect(
        store: &Accessor<T, Self>,
        handle: Handle,
        address: Address,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let begun = store.with(|mut store| {
            let view = store.get();
            let socket = view.table.get_mut(&handle)?;
            wasmtime::error::Ok(begin_connect(&view.ctx.guard, socket, address))
        })?;
        let (connecting, name, guard) = match begun {
            Ok(begun) => begun,
            Err(why) => return Ok(Err(why)),
        };
        let connected = unix::connect(&connecting, &name).await;
        store.with(|mut store| {
            let view = store.get();
            let socket = view.table.get_mut(&handle)?;
            Ok(match connected {
                Ok(()) => {
                    (socket.finish_connect(connecting, &view.ctx.stop)).map_err(ErrorCode::Socket)
                }
                Err(why) => {
                    let why = told(&guard, UnixUse::Connect, &name, why);
                    socket.fail(reduced(&why));
                    Err(why)
                }
            })
        })
    }

    fn listen(mut store: Access<'_, T, Self>, handle: Handle) -> Answer<StreamReader<Handle>> {
        let view = store.get();
        let socket = view.table.get_mut(&handle)?;
        if let Err(code) = socket.check_listen() {
            return Ok(Err(code));
        }
        if view.ctx.stop.is_stopping() {
            return Ok(Ok(StreamReader::new(&mut store, iter::empty())?));
        }
        let (listener, name) = match socket.listen() {
            Ok(listening) => listening,
            Err(code) => return Ok(Err(code)),
        };
        let permit = socket.permit();
        view.ctx.stop.listens(Arc::clone(&listener) as _);
        if let Some(name) = name.filter(|_| listener.is_first()) {
            view.ctx.guard.listening(name);
        }
        let accepting = Accepting::new(listener, permit, Arc::clone(&view.ctx.guard));
        Ok(Ok(StreamReader::new(&mut store, accepting)?))
    }

    fn send(
        mut store: Access<'_, T, Self>,
        handle: Handle,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let lease = store.get().table.get_mut(&handle)?.send();
        stream::send(store, lease, data)
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let lease = store.get().table.get_mut(&handle)?.receive();
        stream::receive(store, lease)
    }
}

type Begun = (std::os::fd::OwnedFd, UnixName, Arc<AccessGuard>);

/// What a connect needs, if the guest may.
fn begin_connect(
    guard: &Arc<AccessGuard>,
    socket: &mut UnixSocket,
    address: Address,
) -> Result<Begun, ErrorCode> {
    socket.check_new()?;
    let name = name(address)?;
    if !guard.unix_connect(&name) {
        return Err(socket.fail(SocketError::AccessDenied).into());
    }
    Ok((socket.begin_connect()?, name, Arc::clone(guard)))
}

/// The name that the guest means.
fn name(address: Address) -> Result<UnixName, ErrorCode> {
    let name = match &address {
        Address::Unnamed => return Err(ErrorCode::InvalidAddress("it is unnamed".to_owned())),
        Address::Path(path) => UnixName::path(path),
        Address::Abstract(name) => UnixName::abstract_name(name),
    };
    name.map_err(|why| ErrorCode::InvalidAddress(why.to_string()))
}

/// What the guest is told, and the observer where it was for somebody to permit.
fn told(guard: &AccessGuard, usage: UnixUse, name: &UnixName, why: UnixSocketError) -> ErrorCode {
    let denied = match why {
        UnixSocketError::NotFound => return ErrorCode::NotFound,
        UnixSocketError::NotASocket => return ErrorCode::NotASocket,
        UnixSocketError::KernelSocket(error) => return stream::code(error).into(),
        UnixSocketError::Link(target) => DenyReason::SymbolicLink(name.target_of_link(&target)),
        UnixSocketError::Permission => DenyReason::Permission,
    };
    guard.unix_denied(usage, name, denied);
    SocketError::AccessDenied.into()
}

/// What is left of it where sockets of all kinds have one error.
fn reduced(why: &ErrorCode) -> SocketError {
    match why {
        ErrorCode::Socket(code) => code.clone(),
        ErrorCode::NotFound => SocketError::Other(Some(NOT_FOUND.to_owned())),
        ErrorCode::NotASocket => SocketError::Other(Some(NOT_A_SOCKET.to_owned())),
        ErrorCode::InvalidAddress(why) => SocketError::Other(Some(why.clone())),
    }
}

impl From<SocketError> for ErrorCode {
    fn from(code: SocketError) -> Self {
        Self::Socket(code)
    }
}

impl From<unix::UnixAddress> for Address {
    fn from(address: unix::UnixAddress) -> Self {
        match address {
            unix::UnixAddress::Unnamed => Self::Unnamed,
            unix::UnixAddress::Path(path) => Self::Path(path),
            unix::UnixAddress::Abstract(name) => Self::Abstract(name),
        }
    }
}

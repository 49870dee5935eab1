//! `asyncio:host/unix-sockets`: the methods that guests call.

use std::iter;
use std::sync::Arc;

use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode as SocketError;

use super::bindings::unix_sockets::{
    Address, Credentials, ErrorCode, Host, HostUnixSocket, HostUnixSocketWithStore,
    UnixSocket as Name,
};
use crate::access::AccessGuard;
use crate::ctx::{StreamsCtxView, StreamsView};
use crate::imports::accepting::Accepting;
use crate::imports::{StreamsImports, byte_streams, over, permit, table};
use crate::policy::{DenyReason, UnixName, UnixUse};
use crate::sockets::stream::{self, Outcome};
use crate::sockets::unix::{Connecting, UnixAddress, UnixSocket, UnixSocketError};

type Handle = Resource<Name>;
type Answer<T> = wasmtime::Result<Result<T, SocketError>>;

/// Texts for errors that the codes of sockets do not name.
const NOT_FOUND: &str = "nothing is there";
const NOT_A_SOCKET: &str = "what is there is no socket";

/// The socket that a handle stands for.
fn get<'a>(
    view: &'a mut StreamsCtxView<'_>,
    handle: &Handle,
) -> wasmtime::Result<&'a mut UnixSocket> {
    table::get(view.table, handle)
}

/// Implements methods by those of [`Options`](crate::sockets::stream::Options).
macro_rules! options {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $ours:ident;)*) => {
        $(
            fn $name(&mut self, handle: Handle, $($arg: $ty),*) -> Answer<$ret> {
                let options = get(self, &handle)?.options();
                Ok(options.and_then(|options| options.$ours($($arg),*)))
            }
        )*
    };
}

impl Host for StreamsCtxView<'_> {}

impl HostUnixSocket for StreamsCtxView<'_> {
    fn create(&mut self) -> Answer<Handle> {
        let created = permit(&self.ctx.guard).and_then(UnixSocket::create);
        match created {
            Ok(socket) => Ok(Ok(table::push(self.table, socket)?)),
            Err(code) => Ok(Err(code)),
        }
    }

    fn pair(&mut self) -> Answer<(Handle, Handle)> {
        let guard = &self.ctx.guard;
        let permits = permit(guard).and_then(|first| Ok([first, permit(guard)?]));
        let charge = |bytes| guard.charge(bytes);
        match permits.and_then(|permits| UnixSocket::pair(permits, &self.ctx.stop, charge)) {
            Ok((one, other)) => Ok(Ok((
                table::push(self.table, one)?,
                table::push(self.table, other)?,
            ))),
            Err(code) => Ok(Err(code)),
        }
    }

    fn bind(
        &mut self,
        handle: Handle,
        address: Address,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let socket: &mut UnixSocket = table::get(self.table, &handle)?;
        if let Err(code) = socket.check_new() {
            return Ok(Err(code.into()));
        }
        let name = match name(address) {
            Ok(name) => name,
            Err(why) => return Ok(Err(why)),
        };
        let Some(granted) = self.ctx.guard.bind_unix(name) else {
            return Ok(Err(SocketError::AccessDenied.into()));
        };
        if !self.ctx.guard.unix_file(&granted.get().name) {
            let reached = "limit of files of Unix sockets reached".to_owned();
            return Ok(Err(SocketError::Other(Some(reached)).into()));
        }
        let sharing = self.ctx.sharing.as_ref().map(|sharing| &sharing.unix);
        let bound = socket.bind(&granted, sharing);
        let name = &granted.get().name;
        Ok(bound.map_err(|why| explain(&self.ctx.guard, UnixUse::Listen, name, why)))
    }

    fn set_unlink(&mut self, handle: Handle, unlink: bool) -> wasmtime::Result<()> {
        get(self, &handle)?.set_unlink(unlink);
        Ok(())
    }

    fn set_listen_backlog_size(&mut self, handle: Handle, value: u64) -> Answer<()> {
        Ok(get(self, &handle)?.set_backlog(value))
    }

    fn send_nowait(&mut self, handle: Handle, data: Vec<u8>) -> Answer<u64> {
        let sent = get(self, &handle)?
            .connected()
            .and_then(|socket| socket.send_now(&data));
        Ok(sent.map(|sent| sent as u64))
    }

    fn receive_nowait(&mut self, handle: Handle, length: u64) -> Answer<Option<Vec<u8>>> {
        let connected = get(self, &handle)?.connected();
        Ok(connected.and_then(|socket| socket.receive_now(length)))
    }

    fn get_local_address(&mut self, handle: Handle) -> Answer<Address> {
        Ok(get(self, &handle)?.local_address().map(Address::from))
    }

    fn get_remote_address(&mut self, handle: Handle) -> Answer<Address> {
        Ok(get(self, &handle)?.remote_address().map(Address::from))
    }

    fn get_peer_credentials(&mut self, handle: Handle) -> Answer<Credentials> {
        let credentials = get(self, &handle)?.peer_credentials();
        Ok(credentials.map(|peer| Credentials {
            // 0 is a process outside of our PID namespace: pid_namespaces(7).
            pid: (peer.pid()).and_then(|pid| u32::try_from(pid).ok().filter(|pid| *pid > 0)),
            uid: peer.uid(),
            gid: peer.gid(),
        }))
    }

    fn get_is_listening(&mut self, handle: Handle) -> wasmtime::Result<bool> {
        Ok(get(self, &handle)?.is_listening())
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        let socket: UnixSocket = table::take(self.table, &handle)?;
        socket.stop_listening();
        Ok(())
    }

    options! {
        fn get_keep_alive_enabled() -> bool = keep_alive;
        fn set_keep_alive_enabled(value: bool) -> () = set_keep_alive;
        fn get_receive_buffer_size() -> u64 = receive_buffer_size;
        fn set_receive_buffer_size(value: u64) -> () = set_receive_buffer_size;
        fn get_send_buffer_size() -> u64 = send_buffer_size;
        fn set_send_buffer_size(value: u64) -> () = set_send_buffer_size;
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
            let socket: &mut UnixSocket = table::get(view.table, &handle)?;
            wasmtime::error::Ok(begin_connect(&view.ctx.guard, socket, address))
        })?;
        let (connecting, guard) = match begun {
            Ok(begun) => begun,
            Err(why) => return Ok(Err(why)),
        };
        let connected = connecting.connect().await;
        store.with(|mut store| {
            let view = store.get();
            let socket: &mut UnixSocket = table::get(view.table, &handle)?;
            Ok(match connected {
                Ok(()) => {
                    let name = connecting.name().clone();
                    let finished = socket.finish_connect(connecting, &view.ctx.stop);
                    if finished.is_ok() {
                        guard.unix_connected(&socket.permit(), &name);
                    }
                    finished.map_err(ErrorCode::Socket)
                }
                Err(why) => {
                    let why = explain(&guard, UnixUse::Connect, connecting.name(), why);
                    socket.fail(socket_error(&why));
                    Err(why)
                }
            })
        })
    }

    fn listen(mut store: Access<'_, T, Self>, handle: Handle) -> Answer<StreamReader<Handle>> {
        let view = store.get();
        let socket: &mut UnixSocket = table::get(view.table, &handle)?;
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
        let guard = Arc::clone(&view.ctx.guard);
        let source = name
            .clone()
            .map(|name| guard.unix_listen_source(name))
            .unwrap_or_default();
        if let Some(name) = name.filter(|_| listener.is_first()) {
            guard.listening(name);
        }
        let accepting = Accepting::<_, Name>::new(listener, permit, view.ctx, source);
        Ok(Ok(StreamReader::new(&mut store, accepting)?))
    }

    fn send(
        mut store: Access<'_, T, Self>,
        handle: Handle,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let lease = get(&mut store.get(), &handle)?.send();
        byte_streams::send(store, lease, data)
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let lease = get(&mut store.get(), &handle)?.receive();
        byte_streams::receive(store, lease)
    }
}

/// Starts a connect, if the guest may. Also returns the guard, for a denial that is
/// found later.
fn begin_connect(
    guard: &Arc<AccessGuard>,
    socket: &mut UnixSocket,
    address: Address,
) -> Result<(Connecting, Arc<AccessGuard>), ErrorCode> {
    socket.check_new()?;
    let Some(granted) = guard.connect_unix(name(address)?) else {
        return Err(socket.fail(SocketError::AccessDenied).into());
    };
    match guard.count_unix_connect(&granted.get().0) {
        Ok(slot) => socket.occupies(slot),
        Err(quota) => return Err(socket.fail(over(quota)).into()),
    }
    Ok((socket.begin_connect(granted)?, Arc::clone(guard)))
}

/// The name in an address that the guest gives.
fn name(address: Address) -> Result<UnixName, ErrorCode> {
    let name = match &address {
        Address::Unnamed => return Err(ErrorCode::InvalidAddress("it is unnamed".to_owned())),
        Address::Path(path) => UnixName::path(path),
        Address::Abstract(name) => UnixName::abstract_name(name),
    };
    name.map_err(|why| ErrorCode::InvalidAddress(why.to_string()))
}

/// The guest's error. One that an operator could remedy is reported as a denial.
fn explain(
    guard: &AccessGuard,
    usage: UnixUse,
    name: &UnixName,
    why: UnixSocketError,
) -> ErrorCode {
    let denied = match why {
        UnixSocketError::NotFound => return ErrorCode::NotFound,
        UnixSocketError::NotASocket => return ErrorCode::NotASocket,
        UnixSocketError::Kernel(error) => return stream::code(error).into(),
        UnixSocketError::Link(target) => DenyReason::SymbolicLink(name.target_of_link(&target)),
        UnixSocketError::Permission => DenyReason::Permission,
    };
    guard.unix_denied(usage, name, denied);
    SocketError::AccessDenied.into()
}

/// The same error as sockets of all kinds have it, for later calls on the socket.
fn socket_error(why: &ErrorCode) -> SocketError {
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

impl From<UnixAddress> for Address {
    fn from(address: UnixAddress) -> Self {
        match address {
            UnixAddress::Unnamed => Self::Unnamed,
            UnixAddress::Path(path) => Self::Path(path),
            UnixAddress::Abstract(name) => Self::Abstract(name),
        }
    }
}

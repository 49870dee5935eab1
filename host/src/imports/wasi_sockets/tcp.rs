//! `tcp-socket`: the methods that guests call.

use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;

use wasmtime::component::{Access, Accessor, FutureReader, Resource, ResourceTable, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::{
    Duration, ErrorCode, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress,
    TcpSocket as Name,
};
use wasmtime_wasi::p3::sockets::{SocketError, SocketResult};

use crate::access::{BindTcp, Granted, ListenTcp, PortOwner, Request};
use crate::ctx::{StreamsCtx, StreamsCtxView, StreamsView};
use crate::imports::accepting::Accepting;
use crate::imports::{StreamsImports, byte_streams, over, permit, table};
use crate::policy::DenyReason;
use crate::sockets::stream::Outcome;
use crate::sockets::tcp::TcpSocket;

type Handle = Resource<Name>;

/// The socket that a handle stands for.
pub(crate) fn get<'a>(
    table: &'a mut ResourceTable,
    handle: &Handle,
) -> wasmtime::Result<&'a mut TcpSocket> {
    table::get(table, handle)
}

/// Takes the socket out of the table: the guest has given its handle away.
pub(crate) fn take(view: &mut StreamsCtxView<'_>, handle: &Handle) -> wasmtime::Result<TcpSocket> {
    let socket = table::take(view.table, handle)?;
    view.ctx.socket_dropped(handle.rep());
    Ok(socket)
}

fn socket<'a>(table: &'a mut ResourceTable, handle: &Handle) -> SocketResult<&'a mut TcpSocket> {
    get(table, handle).map_err(SocketError::trap)
}

/// A socket of this guest has this very address. A socket that has failed does not
/// count: another process may have its address by now.
fn holds(view: &StreamsCtxView<'_>, address: SocketAddr) -> bool {
    view.ctx.bound().any(|rep| {
        let socket = view.table.get(&Resource::<TcpSocket>::new_borrow(rep));
        let local = socket.map(TcpSocket::local_address);
        local.is_ok_and(|local| local.is_ok_and(|local| local == address))
    })
}

/// Asks the guard whether the guest may listen where the socket is bound, or would be.
fn grant_listen(
    ctx: &StreamsCtx,
    handle: &Handle,
    socket: &TcpSocket,
) -> Result<Granted<ListenTcp>, ErrorCode> {
    let requested = ctx.requested_address(handle.rep());
    let address = requested.unwrap_or_else(|| socket.unspecified());
    let granted = ctx.guard.listen(address, requested.is_some());
    granted.ok_or(ErrorCode::AccessDenied)
}

/// Reports a result that says that the operating system does not permit the request, which
/// the policy has allowed.
fn told<T>(
    ctx: &StreamsCtx,
    request: Request,
    result: Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    if let Err(ErrorCode::AccessDenied) = &result {
        ctx.guard.system_denied(request);
    }
    result
}

impl<T: StreamsView> HostTcpSocketWithStore<T> for StreamsImports {
    async fn connect(
        store: &Accessor<T, Self>,
        handle: Handle,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let remote = SocketAddr::from(remote_address);
        let connecting = store.with(|mut store| {
            let view = store.get();
            let socket = socket(view.table, &handle)?;
            socket.check_connect(remote)?;
            let Some(granted) = view.ctx.guard.connect(remote) else {
                return Err(SocketError::from(socket.fail(ErrorCode::AccessDenied)));
            };
            match view.ctx.guard.count_connect(remote) {
                Ok(slot) => socket.occupies(slot),
                Err(quota) => return Err(SocketError::from(socket.fail(over(quota)))),
            }
            let begun = socket.begin_connect(&granted);
            Ok(told(view.ctx, Request::Connect(remote), begun)?)
        });
        let connecting = connecting?;
        let connected = connecting.connect().await;
        store.with(|mut store| {
            let view = store.get();
            let socket = socket(view.table, &handle)?;
            let finished = socket.finish_connect(connected, &view.ctx.stop);
            if finished.is_ok() {
                view.ctx.guard.connected(&socket.permit(), remote);
            }
            Ok(told(view.ctx, Request::Connect(remote), finished)?)
        })
    }

    async fn listen(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> SocketResult<StreamReader<Handle>> {
        let view = store.get();
        let listener = socket(view.table, &handle)?;
        listener.check_listen()?;
        // The operator has granted an inherited listener itself.
        let granted = match listener.is_inherited() {
            true => None,
            false => Some(grant_listen(view.ctx, &handle, listener)?),
        };
        if view.ctx.stop.is_stopping() {
            return StreamReader::new(&mut store, iter::empty()).map_err(SocketError::trap);
        }
        let sharing = view.ctx.sharing.as_ref().map(|sharing| &sharing.tcp);
        let bound = match &granted {
            Some(granted) => {
                let bound = listener.listen(granted, sharing);
                told(view.ctx, Request::Listen(granted.get().0), bound)?
            }
            None => listener.listen_inherited()?,
        };
        view.ctx.stop.listens(Arc::clone(&bound) as _);
        let local = listener.local_address()?;
        let permit = listener.permit();
        if bound.is_first() {
            view.ctx.guard.listening(local);
        }
        let policy_address = granted.as_ref().map(|granted| granted.get().0);
        let source = view.ctx.guard.listen_source(local, policy_address);
        let accepting = Accepting::<_, Name>::new(bound, permit, view.ctx, source);
        StreamReader::new(&mut store, accepting).map_err(SocketError::trap)
    }

    fn send(
        mut store: Access<'_, T, Self>,
        handle: Handle,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let lease = get(store.get().table, &handle)?.send();
        byte_streams::send(store, lease, data)
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let lease = get(store.get().table, &handle)?.receive();
        byte_streams::receive(store, lease)
    }
}

/// Implements methods by those of [`TcpSocket`], and converts their results.
macro_rules! of_socket {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $ours:ident;)*) => {
        $(
            fn $name(&mut self, handle: Handle, $($arg: $ty),*) -> SocketResult<$ret> {
                Ok(socket(self.table, &handle)?.$ours($($arg.into()),*)?.into())
            }
        )*
    };
}

/// Implements methods by those of [`Options`](crate::sockets::stream::Options).
macro_rules! options {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $ours:ident;)*) => {
        $(
            fn $name(&mut self, handle: Handle, $($arg: $ty),*) -> SocketResult<$ret> {
                Ok(socket(self.table, &handle)?.options()?.$ours($($arg),*)?)
            }
        )*
    };
}

impl HostTcpSocket for StreamsCtxView<'_> {
    async fn bind(&mut self, handle: Handle, local_address: IpSocketAddress) -> SocketResult<()> {
        let local = SocketAddr::from(local_address);
        let requested = self.ctx.policy_address(local);
        let bound = socket(self.table, &handle)?;
        bound.check_bind(local)?;
        let reuse_port = bound.reuses_port();
        let owner = match requested.port() {
            _ if reuse_port && holds(self, local) => PortOwner::ThisGuest,
            0 => PortOwner::Kernel,
            _ => PortOwner::AnyProcess,
        };
        let bind = BindTcp {
            address: local,
            policy_address: requested,
            owner,
            reuse_port,
        };
        let Some(granted) = self.ctx.guard.bind(bind) else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let bound = socket(self.table, &handle)?;
        let sharing = self.ctx.sharing.as_ref().map(|sharing| &sharing.tcp);
        let done = bound.bind(&granted, sharing);
        told(self.ctx, Request::Bind(requested), done)?;
        let bound = socket(self.table, &handle)?;
        let port = bound.local_address().ok().map(|local| local.port());
        self.ctx.socket_bound(handle.rep(), requested, port);
        Ok(())
    }

    fn create(&mut self, family: IpAddressFamily) -> SocketResult<Handle> {
        let permit = permit(&self.ctx.guard)?;
        let created = TcpSocket::create(family, permit);
        let created = told(self.ctx, Request::Socket, created)?;
        table::push(self.table, created).map_err(|_| {
            let limit = self.ctx.limits().resources;
            self.ctx
                .guard
                .connection_denied(DenyReason::ResourceLimit(limit));
            ErrorCode::Other(Some("limit of resources reached".to_owned())).into()
        })
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        take(self, &handle).map(drop)
    }

    fn get_is_listening(&mut self, handle: Handle) -> wasmtime::Result<bool> {
        Ok(get(self.table, &handle)?.is_listening())
    }

    fn get_address_family(&mut self, handle: Handle) -> wasmtime::Result<IpAddressFamily> {
        Ok(get(self.table, &handle)?.family())
    }

    of_socket! {
        fn get_local_address() -> IpSocketAddress = local_address;
        fn get_remote_address() -> IpSocketAddress = remote_address;
        fn set_listen_backlog_size(value: u64) -> () = set_backlog;
        fn get_hop_limit() -> u8 = hop_limit;
        fn set_hop_limit(value: u8) -> () = set_hop_limit;
    }

    options! {
        fn get_keep_alive_enabled() -> bool = keep_alive;
        fn set_keep_alive_enabled(value: bool) -> () = set_keep_alive;
        fn get_keep_alive_idle_time() -> Duration = keep_alive_idle_time;
        fn set_keep_alive_idle_time(value: Duration) -> () = set_keep_alive_idle_time;
        fn get_keep_alive_interval() -> Duration = keep_alive_interval;
        fn set_keep_alive_interval(value: Duration) -> () = set_keep_alive_interval;
        fn get_keep_alive_count() -> u32 = keep_alive_count;
        fn set_keep_alive_count(value: u32) -> () = set_keep_alive_count;
        fn get_receive_buffer_size() -> u64 = receive_buffer_size;
        fn set_receive_buffer_size(value: u64) -> () = set_receive_buffer_size;
        fn get_send_buffer_size() -> u64 = send_buffer_size;
        fn set_send_buffer_size(value: u64) -> () = set_send_buffer_size;
    }
}

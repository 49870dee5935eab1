//! What the guest calls.

use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;

use wasmtime::component::{Access, Accessor, FutureReader, Resource, ResourceTable, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::{
    Duration, ErrorCode, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress,
    TcpSocket as Name,
};
use wasmtime_wasi::p3::sockets::{SocketError, SocketResult};

use crate::imports::{StreamsImports, permit};
use crate::policy::Use;
use crate::sockets::stream::{self, Accepting, Outcome};
use crate::sockets::tcp::{PortOwner, TcpSocket};
use crate::{StreamsCtx, StreamsCtxView, StreamsView};

/// A socket as the bindings name it. What lies in the table is ours.
type Handle = Resource<Name>;

/// The socket that a handle stands for.
pub(crate) fn get<'a>(
    table: &'a mut ResourceTable,
    handle: &Handle,
) -> wasmtime::Result<&'a mut TcpSocket> {
    let ours = Resource::<TcpSocket>::new_borrow(handle.rep());
    Ok(table.get_mut(&ours)?)
}

/// A handle for a new socket.
pub(crate) fn push(table: &mut ResourceTable, socket: TcpSocket) -> wasmtime::Result<Handle> {
    Ok(Resource::new_own(table.push(socket)?.rep()))
}

/// Takes the socket out of the table: the guest has given its handle away.
pub(crate) fn take(view: &mut StreamsCtxView<'_>, handle: &Handle) -> wasmtime::Result<TcpSocket> {
    let socket = (view.table).delete(Resource::<TcpSocket>::new_own(handle.rep()))?;
    view.ctx.socket_dropped(handle.rep());
    Ok(socket)
}

fn socket<'a>(table: &'a mut ResourceTable, handle: &Handle) -> SocketResult<&'a mut TcpSocket> {
    get(table, handle).map_err(SocketError::trap)
}

/// Whether a socket of this guest has this very address. One that has failed was
/// bound to it, and somebody else may have it by now.
fn holds(view: &StreamsCtxView<'_>, address: SocketAddr) -> bool {
    view.ctx.bound().any(|rep| {
        let socket = view.table.get(&Resource::<TcpSocket>::new_borrow(rep));
        let local = socket.map(TcpSocket::local_address);
        local.is_ok_and(|local| local.is_ok_and(|local| local == address))
    })
}

/// Whether the guest may listen where the socket is bound, or would be.
fn may_listen(ctx: &StreamsCtx, handle: &Handle, socket: &TcpSocket) -> bool {
    let wanted = match ctx.requested_address(handle.rep()) {
        Some(requested) => requested,
        None => {
            let wanted = socket.unspecified();
            if !ctx.guard.allows(Use::Bind, wanted) {
                return false;
            }
            wanted
        }
    };
    ctx.guard.allows(Use::Listen, wanted)
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
            if !view.ctx.guard.allows(Use::Connect, remote) {
                return Err(socket.fail(ErrorCode::AccessDenied).into());
            }
            SocketResult::Ok(socket.begin_connect()?)
        })?;
        let connected = connecting.connect(remote).await;
        store.with(|mut store| {
            let view = store.get();
            let socket = socket(view.table, &handle)?;
            Ok(socket.finish_connect(connected, &view.ctx.stop)?)
        })
    }

    async fn listen(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> SocketResult<StreamReader<Handle>> {
        let view = store.get();
        let listener = socket(view.table, &handle)?;
        listener.check_listen()?;
        if !listener.is_inherited() && !may_listen(view.ctx, &handle, listener) {
            return Err(ErrorCode::AccessDenied.into());
        }
        if view.ctx.stop.is_stopping() {
            return StreamReader::new(&mut store, iter::empty()).map_err(SocketError::trap);
        }
        let bound = listener.listen(view.ctx.sharing.as_ref())?;
        view.ctx.stop.listens(Arc::clone(&bound) as _);
        let local = listener.local_address()?;
        let permit = listener.permit();
        if bound.is_first() {
            view.ctx.guard.listening(local);
        }
        let accepting = Accepting::new(bound, permit, Arc::clone(&view.ctx.guard));
        StreamReader::new(&mut store, accepting).map_err(SocketError::trap)
    }

    fn send(
        mut store: Access<'_, T, Self>,
        handle: Handle,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        let lease = get(store.get().table, &handle)?.send();
        stream::send(store, lease, data)
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        handle: Handle,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let lease = get(store.get().table, &handle)?.receive();
        stream::receive(store, lease)
    }
}

/// Implements methods by those of our socket, and gives what they return.
macro_rules! options {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $ours:ident;)*) => {
        $(
            fn $name(&mut self, handle: Handle, $($arg: $ty),*) -> SocketResult<$ret> {
                Ok(socket(self.table, &handle)?.$ours($($arg.into()),*)?.into())
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
        let shares = bound.reuses_port();
        if !self.ctx.guard.allows(Use::Bind, requested) {
            return Err(ErrorCode::AccessDenied.into());
        }
        let whose = match requested.port() {
            _ if shares && holds(self, local) => PortOwner::Ours,
            0 => PortOwner::Nobodys,
            _ => PortOwner::Anybodys,
        };
        let joins = shares && whose == PortOwner::Anybodys;
        if joins && !self.ctx.guard.allows(Use::Share, requested) {
            return Err(ErrorCode::AccessDenied.into());
        }
        let bound = socket(self.table, &handle)?;
        bound.bind(local, whose, self.ctx.sharing.as_ref())?;
        let port = bound.local_address().ok().map(|local| local.port());
        self.ctx.socket_bound(handle.rep(), requested, port);
        Ok(())
    }

    fn create(&mut self, family: IpAddressFamily) -> SocketResult<Handle> {
        let permit = permit(&self.ctx.guard)?;
        let created = TcpSocket::create(family, permit)?;
        push(self.table, created).map_err(SocketError::trap)
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

    fn get_keep_alive_idle_time(&mut self, handle: Handle) -> SocketResult<Duration> {
        Ok(nanoseconds(
            socket(self.table, &handle)?.keep_alive_idle_time()?,
        ))
    }

    fn set_keep_alive_idle_time(&mut self, handle: Handle, value: Duration) -> SocketResult<()> {
        let value = std::time::Duration::from_nanos(value);
        Ok(socket(self.table, &handle)?.set_keep_alive_idle_time(value)?)
    }

    fn get_keep_alive_interval(&mut self, handle: Handle) -> SocketResult<Duration> {
        Ok(nanoseconds(
            socket(self.table, &handle)?.keep_alive_interval()?,
        ))
    }

    fn set_keep_alive_interval(&mut self, handle: Handle, value: Duration) -> SocketResult<()> {
        let value = std::time::Duration::from_nanos(value);
        Ok(socket(self.table, &handle)?.set_keep_alive_interval(value)?)
    }

    options! {
        fn get_local_address() -> IpSocketAddress = local_address;
        fn get_remote_address() -> IpSocketAddress = remote_address;
        fn set_listen_backlog_size(value: u64) -> () = set_backlog;
        fn get_keep_alive_enabled() -> bool = keep_alive;
        fn set_keep_alive_enabled(value: bool) -> () = set_keep_alive;
        fn get_keep_alive_count() -> u32 = keep_alive_count;
        fn set_keep_alive_count(value: u32) -> () = set_keep_alive_count;
        fn get_hop_limit() -> u8 = hop_limit;
        fn set_hop_limit(value: u8) -> () = set_hop_limit;
        fn get_receive_buffer_size() -> u64 = receive_buffer_size;
        fn set_receive_buffer_size(value: u64) -> () = set_receive_buffer_size;
        fn get_send_buffer_size() -> u64 = send_buffer_size;
        fn set_send_buffer_size(value: u64) -> () = set_send_buffer_size;
    }
}

fn nanoseconds(time: std::time::Duration) -> Duration {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

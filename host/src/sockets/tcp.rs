use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{
    Access, Accessor, FutureConsumer, FutureReader, Resource, Source, StreamReader,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p3::bindings::sockets::types::{
    Duration, ErrorCode, HostTcpSocket, HostTcpSocketWithStore, IpAddressFamily, IpSocketAddress,
    TcpSocket,
};
use wasmtime_wasi::p3::sockets::{SocketError, SocketResult};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};

use super::Sockets;
use super::delegate::{pass_on, stock};
use crate::{CtxView, Stats, View};

type Socket = Resource<TcpSocket>;
type Sent = Result<(), ErrorCode>;

impl<T: View> HostTcpSocketWithStore<T> for Sockets {
    async fn connect(
        store: &Accessor<T, Self>,
        socket: Socket,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let store = store.with_getter::<WasiSockets>(stock::<T>);
        <WasiSockets as HostTcpSocketWithStore<T>>::connect(&store, socket, remote_address).await
    }

    async fn listen(
        mut store: Access<'_, T, Self>,
        socket: Socket,
    ) -> SocketResult<StreamReader<Socket>> {
        let rep = socket.rep();
        let mut view = store.get();
        let requested = view.address_to_listen_on(rep).map_err(SocketError::trap)?;
        view.ctx.gate.request(Some(requested));
        view.ctx.entering_listen = true;
        let stock = Access::<T, WasiSockets>::new(store.as_context_mut(), accepting::<T>);
        let result = <WasiSockets as HostTcpSocketWithStore<T>>::listen(stock, socket).await;
        let mut view = store.get();
        view.ctx.entering_listen = false;
        view.ctx.gate.request(None);
        if result.is_ok() {
            view.ctx.socket_listens(rep, requested);
            if let Ok(address) = view.stock().get_local_address(Resource::new_borrow(rep)) {
                view.ctx.gate.listening(address.into());
            }
        }
        result
    }

    fn send(
        mut store: Access<'_, T, Self>,
        socket: Socket,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Sent>> {
        let sending = Sending::new(store.get().ctx.stats());
        let access = Access::<T, WasiSockets>::new(store.as_context_mut(), stock::<T>);
        let sent = <WasiSockets as HostTcpSocketWithStore<T>>::send(access, socket, data)?;
        // The outcome passes through here, because its arrival is the only sign
        // that the sending half is gone.
        let (outcome_tx, outcome_rx) = oneshot::channel();
        sent.pipe(&mut store, Outcome(Some((outcome_tx, sending))))?;
        FutureReader::new(&mut store, async move {
            // Without an outcome the store is going away.
            wasmtime::error::Ok(outcome_rx.await.unwrap_or(Ok(())))
        })
    }

    fn receive(
        mut store: Access<'_, T, Self>,
        socket: Socket,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Sent>)> {
        let access = Access::<T, WasiSockets>::new(store.as_context_mut(), stock::<T>);
        <WasiSockets as HostTcpSocketWithStore<T>>::receive(access, socket)
    }
}

impl HostTcpSocket for CtxView<'_> {
    async fn bind(&mut self, socket: Socket, local_address: IpSocketAddress) -> SocketResult<()> {
        let rep = socket.rep();
        let requested = self.ctx.wished(local_address.into());
        self.ctx.gate.request(Some(requested));
        let result = HostTcpSocket::bind(&mut self.stock(), socket, local_address).await;
        self.ctx.gate.request(None);
        if result.is_ok() {
            let local = self.stock().get_local_address(Resource::new_borrow(rep));
            let port = local.ok().map(|local| SocketAddr::from(local).port());
            self.ctx.socket_bound(rep, requested, port);
        }
        result
    }

    fn create(&mut self, address_family: IpAddressFamily) -> SocketResult<Socket> {
        if !self.ctx.gate.room_for_socket() {
            return Err(ErrorCode::Other(Some("limit of sockets reached".to_owned())).into());
        }
        let socket = HostTcpSocket::create(&mut self.stock(), address_family)?;
        self.ctx.stats.socket_opened();
        Ok(socket)
    }

    fn drop(&mut self, socket: Socket) -> wasmtime::Result<()> {
        let rep = socket.rep();
        HostTcpSocket::drop(&mut self.stock(), socket)?;
        self.ctx.socket_dropped(rep);
        Ok(())
    }

    pass_on! { HostTcpSocket:
        fn get_local_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        fn get_remote_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        fn get_is_listening(socket: Socket) -> wasmtime::Result<bool>;
        fn get_address_family(socket: Socket) -> wasmtime::Result<IpAddressFamily>;
        fn set_listen_backlog_size(socket: Socket, value: u64) -> SocketResult<()>;
        fn get_keep_alive_enabled(socket: Socket) -> SocketResult<bool>;
        fn set_keep_alive_enabled(socket: Socket, value: bool) -> SocketResult<()>;
        fn get_keep_alive_idle_time(socket: Socket) -> SocketResult<Duration>;
        fn set_keep_alive_idle_time(socket: Socket, value: Duration) -> SocketResult<()>;
        fn get_keep_alive_interval(socket: Socket) -> SocketResult<Duration>;
        fn set_keep_alive_interval(socket: Socket, value: Duration) -> SocketResult<()>;
        fn get_keep_alive_count(socket: Socket) -> SocketResult<u32>;
        fn set_keep_alive_count(socket: Socket, value: u32) -> SocketResult<()>;
        fn get_hop_limit(socket: Socket) -> SocketResult<u8>;
        fn set_hop_limit(socket: Socket, value: u8) -> SocketResult<()>;
        fn get_receive_buffer_size(socket: Socket) -> SocketResult<u64>;
        fn set_receive_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        fn get_send_buffer_size(socket: Socket) -> SocketResult<u64>;
        fn set_send_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
    }
}

impl CtxView<'_> {
    /// What a listen on this socket asks for: the address it was bound to as
    /// the guest wrote it, or the unspecified one.
    fn address_to_listen_on(&mut self, rep: u32) -> wasmtime::Result<SocketAddr> {
        if let Some(requested) = self.ctx.requested_address(rep) {
            return Ok(requested);
        }
        let family = self.stock().get_address_family(Resource::new_borrow(rep))?;
        Ok(match family {
            IpAddressFamily::Ipv4 => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            IpAddressFamily::Ipv6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        })
    }
}

/// The way by which the stock implementation reaches its table from a
/// listener: once while `listen` runs, then once for each accepted socket,
/// just before it enters the table.
fn accepting<T: View>(data: &mut T) -> WasiSocketsCtxView<'_> {
    let CtxView { ctx, table } = data.asyncio_streams();
    if !ctx.entering_listen {
        ctx.stats.socket_opened();
    }
    WasiSocketsCtxView {
        ctx: &mut ctx.sockets,
        table,
    }
}

/// A sending half that exists, counted.
struct Sending(Stats);

impl Sending {
    fn new(stats: Stats) -> Self {
        stats.send_opened();
        Self(stats)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.send_closed();
    }
}

/// Takes the outcome of a sending half and passes it on.
struct Outcome(Option<(oneshot::Sender<Sent>, Sending)>);

impl<D: 'static> FutureConsumer<D> for Outcome {
    type Item = Sent;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, Sent>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut outcome = None;
        source.read(store, &mut outcome)?;
        if let (Some(outcome), Some((passed_on, _))) = (outcome, self.0.take()) {
            // The guest may have lost interest.
            let _ = passed_on.send(outcome);
        }
        Poll::Ready(Ok(()))
    }
}

//! `udp-socket`: passed on to wasmtime-wasi, which denies UDP.

use wasmtime::component::{Accessor, Resource, ResourceTable};
use wasmtime_wasi::p3::bindings::sockets::types::{
    HostUdpSocket, HostUdpSocketWithStore, IpAddressFamily, IpSocketAddress, UdpSocket,
};
use wasmtime_wasi::p3::sockets::SocketResult;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};

use crate::ctx::{StreamsCtx, StreamsCtxView, StreamsView};
use crate::imports::StreamsImports;

type Socket = Resource<UdpSocket>;

/// wasmtime-wasi's implementation, on the same table.
fn stock<'a>(ctx: &'a mut StreamsCtx, table: &'a mut ResourceTable) -> WasiSocketsCtxView<'a> {
    WasiSocketsCtxView {
        ctx: &mut ctx.udp,
        table,
    }
}

/// wasmtime-wasi's implementation in a store's data.
fn stock_of<T: StreamsView>(data: &mut T) -> WasiSocketsCtxView<'_> {
    let StreamsCtxView { ctx, table } = data.streams();
    stock(ctx, table)
}

/// Implements methods by passing them on to wasmtime-wasi.
macro_rules! pass_on {
    ($host:ident: $(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(
            fn $name(&mut self, $($arg: $ty),*) -> $ret {
                $host::$name(&mut stock(self.ctx, self.table), $($arg),*)
            }
        )*
    };
}

/// The same for asynchronous methods.
macro_rules! pass_on_async {
    ($host:ident: $(async fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(
            async fn $name(&mut self, $($arg: $ty),*) -> $ret {
                $host::$name(&mut stock(self.ctx, self.table), $($arg),*).await
            }
        )*
    };
}

impl<T: StreamsView> HostUdpSocketWithStore<T> for StreamsImports {
    async fn send(
        store: &Accessor<T, Self>,
        socket: Socket,
        data: Vec<u8>,
        remote_address: Option<IpSocketAddress>,
    ) -> SocketResult<()> {
        let store = store.with_getter::<WasiSockets>(stock_of::<T>);
        <WasiSockets as HostUdpSocketWithStore<T>>::send(&store, socket, data, remote_address).await
    }

    async fn receive(
        store: &Accessor<T, Self>,
        socket: Socket,
    ) -> SocketResult<(Vec<u8>, IpSocketAddress)> {
        let store = store.with_getter::<WasiSockets>(stock_of::<T>);
        <WasiSockets as HostUdpSocketWithStore<T>>::receive(&store, socket).await
    }
}

impl HostUdpSocket for StreamsCtxView<'_> {
    pass_on_async! { HostUdpSocket:
        async fn bind(socket: Socket, address: IpSocketAddress) -> SocketResult<()>;
        async fn connect(socket: Socket, address: IpSocketAddress) -> SocketResult<()>;
        async fn create(family: IpAddressFamily) -> SocketResult<Socket>;
    }

    pass_on! { HostUdpSocket:
        fn disconnect(socket: Socket) -> SocketResult<()>;
        fn get_local_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        fn get_remote_address(socket: Socket) -> SocketResult<IpSocketAddress>;
        fn get_address_family(socket: Socket) -> wasmtime::Result<IpAddressFamily>;
        fn get_unicast_hop_limit(socket: Socket) -> SocketResult<u8>;
        fn set_unicast_hop_limit(socket: Socket, value: u8) -> SocketResult<()>;
        fn get_receive_buffer_size(socket: Socket) -> SocketResult<u64>;
        fn set_receive_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        fn get_send_buffer_size(socket: Socket) -> SocketResult<u64>;
        fn set_send_buffer_size(socket: Socket, value: u64) -> SocketResult<()>;
        fn drop(socket: Socket) -> wasmtime::Result<()>;
    }
}

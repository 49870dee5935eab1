use wasmtime_wasi::sockets::WasiSocketsCtxView;

use crate::{CtxView, View};

impl CtxView<'_> {
    /// The stock implementation, on the same table.
    pub(super) fn stock(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView {
            ctx: &mut self.ctx.udp,
            table: self.table,
        }
    }
}

/// From a store's data to the stock implementation.
pub(super) fn stock<T: View>(data: &mut T) -> WasiSocketsCtxView<'_> {
    let CtxView { ctx, table } = data.asyncio_streams();
    WasiSocketsCtxView {
        ctx: &mut ctx.udp,
        table,
    }
}

/// Implements methods by passing them on to the stock implementation.
macro_rules! pass_on {
    ($host:ident: $(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(
            fn $name(&mut self, $($arg: $ty),*) -> $ret {
                $host::$name(&mut self.stock(), $($arg),*)
            }
        )*
    };
}
pub(super) use pass_on;

/// The same for asynchronous methods.
macro_rules! pass_on_async {
    ($host:ident: $(async fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        $(
            async fn $name(&mut self, $($arg: $ty),*) -> $ret {
                $host::$name(&mut self.stock(), $($arg),*).await
            }
        )*
    };
}
pub(super) use pass_on_async;

//! The halves of a connection, as the guest asks for them.

use std::iter;
use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::AsContextMut;
use wasmtime::component::{FutureReader, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

use super::lease::Lease;
use super::streams::{Receiving, Sending};

/// How a half of a connection ended.
pub(crate) type Outcome = Result<(), ErrorCode>;

/// Sends what the guest gives, on what the socket has lent.
pub(crate) fn send(
    mut store: impl AsContextMut,
    lease: Result<Arc<Lease>, ErrorCode>,
    mut data: StreamReader<u8>,
) -> wasmtime::Result<FutureReader<Outcome>> {
    match lease {
        Ok(lease) => {
            let (sender, outcome) = oneshot::channel();
            data.pipe(&mut store, Sending::new(lease, sender))?;
            FutureReader::new(store, outcome)
        }
        Err(code) => {
            data.close(&mut store)?;
            FutureReader::new(store, async { wasmtime::error::Ok(Err(code)) })
        }
    }
}

/// What the guest receives, on what the socket has lent.
pub(crate) fn receive(
    mut store: impl AsContextMut,
    lease: Result<Arc<Lease>, ErrorCode>,
) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
    match lease {
        Ok(lease) => {
            let (sender, outcome) = oneshot::channel();
            let data = StreamReader::new(&mut store, Receiving::new(lease, sender))?;
            Ok((data, FutureReader::new(store, outcome)?))
        }
        Err(code) => {
            let data = StreamReader::new(&mut store, iter::empty())?;
            let outcome = async { wasmtime::error::Ok(Err(code)) };
            Ok((data, FutureReader::new(store, outcome)?))
        }
    }
}

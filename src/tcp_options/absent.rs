//! The options in the streams component's variant `tcp`, which imports nothing but
//! WASI and so has none.

use wasi::sockets::types::{ErrorCode, TcpSocket};

pub(super) const AVAILABLE: bool = false;

#[cfg(feature = "bindings")]
pub(super) fn reset(_: &TcpSocket) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

#[cfg(feature = "bindings")]
pub(super) fn set_no_delay(_: &TcpSocket, _: bool) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(super) fn set_reuse_address(_: &TcpSocket, _: bool) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(super) fn set_reuse_port(_: &TcpSocket, _: bool) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

//! The options in the streams component's variant `tcp`, which imports nothing but
//! WASI and so has none.

use wasi::sockets::types::{ErrorCode, TcpSocket};

pub(super) const AVAILABLE: bool = false;

#[cfg(feature = "bindings")]
pub(super) fn reset(_: &TcpSocket) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(super) fn get_no_delay(_: &TcpSocket) -> Result<bool, ErrorCode> {
    Err(ErrorCode::NotSupported)
}

/// Accepts true, which most programs ask for and a host that is made for streams does
/// already. Such a request is about speed, and no reason to fail.
pub(super) fn set_no_delay(_: &TcpSocket, no_delay: bool) -> Result<(), ErrorCode> {
    match no_delay {
        true => Ok(()),
        false => Err(ErrorCode::NotSupported),
    }
}

pub(super) fn set_reuse_address(_: &TcpSocket, _: bool) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(super) fn set_reuse_port(_: &TcpSocket, _: bool) -> Result<(), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

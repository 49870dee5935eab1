//! For the streams component's variant `tcp`, which imports nothing but WASI.

use super::NoSocket;
use super::host_socket::HostSocket;
use crate::address::UnixAddress;
use crate::error::ErrorCode;

type Boxed = Box<dyn HostSocket>;

pub(crate) async fn connect(_: &UnixAddress) -> Result<Boxed, NoSocket> {
    Err(NoSocket::Code(ErrorCode::NotSupported))
}

pub(crate) fn bind(_: &UnixAddress, _: bool) -> Result<Boxed, NoSocket> {
    Err(NoSocket::Code(ErrorCode::NotSupported))
}

pub(crate) fn pair() -> Result<(Boxed, Boxed), ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(crate) fn listener(_: &str) -> Result<Boxed, ErrorCode> {
    Err(ErrorCode::NotSupported)
}

pub(crate) fn listeners() -> Vec<String> {
    Vec::new()
}

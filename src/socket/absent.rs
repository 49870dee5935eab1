//! Unix sockets and inherited listeners in the streams component's variant `tcp`, which
//! imports nothing but WASI and so has none.

use super::host_socket::HostSocket;
use crate::address::UnixAddress;
use crate::error::ErrorCode;
use crate::refusal::Refusal;

type Boxed = Box<dyn HostSocket>;

pub(crate) async fn connect(_: &UnixAddress) -> Result<Boxed, Refusal> {
    Err(Refusal::of_unix_socket(ErrorCode::NotSupported))
}

pub(crate) fn bind(_: &UnixAddress, _: bool) -> Result<Boxed, Refusal> {
    Err(Refusal::of_unix_socket(ErrorCode::NotSupported))
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

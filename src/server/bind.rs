//! Binding a server's addresses: all of them, or none.

use std::net::SocketAddr;

use wasi::sockets::types::TcpSocket;

use crate::address::{Family, to_wasi};
use crate::error::{Attempt, ErrorCode, ListenError};
use crate::transport::tcp;

/// How often another port is tried when one is not free on every interface.
const PORT_TRIES: usize = 16;

/// An address to bind. One of all interfaces may be missing where the machine
/// does not have its family.
pub(super) struct Wanted {
    pub(super) address: SocketAddr,
    pub(super) optional: bool,
}

pub(super) struct Bound {
    pub(super) socket: TcpSocket,
    pub(super) address: SocketAddr,
    pub(super) listening: bool,
}

/// Binds all addresses, or none. Port 0 becomes one port for all of them.
pub(super) fn bind_all(wanted: &[Wanted]) -> Result<Vec<Bound>, ListenError> {
    let mut tries = PORT_TRIES;
    loop {
        match bind_once(wanted) {
            // The port that was free on the first interface is not on another.
            Err((index, attempt)) if index > 0 && attempt.code == ErrorCode::AddressInUse => {
                let any_port = wanted
                    .first()
                    .is_some_and(|first| first.address.port() == 0);
                tries -= 1;
                if !any_port || tries == 0 {
                    return Err(ListenError::Failed(attempt));
                }
            }
            Err((_, attempt)) => return Err(ListenError::Failed(attempt)),
            Ok(bound) => return Ok(bound),
        }
    }
}

fn bind_once(wanted: &[Wanted]) -> Result<Vec<Bound>, (usize, Attempt)> {
    let mut bound: Vec<Bound> = Vec::new();
    let mut missing = None;
    for (index, Wanted { address, optional }) in wanted.iter().enumerate() {
        let mut address = *address;
        if let (0, Some(first)) = (address.port(), bound.first()) {
            address.set_port(first.address.port());
        }
        match bind(address) {
            Ok(one) => bound.push(one),
            Err(code) => {
                let absent = matches!(
                    code,
                    ErrorCode::NotSupported
                        | ErrorCode::InvalidArgument
                        | ErrorCode::AddressNotBindable
                );
                let attempt = Attempt {
                    address: address.into(),
                    local_address: None,
                    code,
                };
                if !(*optional && absent) {
                    return Err((index, attempt));
                }
                missing = Some((index, attempt));
            }
        }
    }
    match missing {
        Some(missing) if bound.is_empty() => Err(missing),
        _ => Ok(bound),
    }
}

fn bind(address: SocketAddr) -> Result<Bound, ErrorCode> {
    let socket = TcpSocket::create(Family::of(&address).into())?;
    socket.bind(to_wasi(address))?;
    Ok(Bound {
        address: tcp::local_address(&socket)?,
        socket,
        listening: false,
    })
}

/// A socket that was bound elsewhere.
pub(super) fn adopt(socket: TcpSocket) -> Result<Bound, ListenError> {
    match tcp::local_address(&socket) {
        Ok(address) if !socket.get_is_listening() => Ok(Bound {
            socket,
            address,
            listening: false,
        }),
        _ => Err(ListenError::InvalidArgument(
            "the socket has to be bound and not listening yet".into(),
        )),
    }
}

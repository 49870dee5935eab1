//! Binds a server's addresses: all of them, or none.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::reuse::Reuse;
use crate::address::Address;
use crate::error::{Attempt, ErrorCode, ListenError};
use crate::socket::host_socket::HostSocket;
use crate::socket::tcp;

/// The number of ports that are tried when one is not free on every interface.
const PORT_TRIES: usize = 16;

/// An address to bind. A host may stand for several: those that this machine lacks are
/// skipped, as the IPv6 address of `localhost` on a machine without IPv6.
pub(super) struct Wanted {
    pub(super) address: SocketAddr,
    /// The index of its host.
    pub(super) host: usize,
}

/// A bound socket of a server.
pub(super) struct BoundSocket {
    pub(super) socket: Box<dyn HostSocket>,
    pub(super) address: Address,
    pub(super) listening: bool,
}

/// Binds all addresses, or none. Port 0 becomes the same port for all of them.
pub(super) fn bind_all(wanted: &[Wanted], reuse: Reuse) -> Result<Vec<BoundSocket>, ListenError> {
    let mut tries = PORT_TRIES;
    loop {
        match bind_once(wanted, reuse) {
            // The kernel chose a port that is free on the first interface only.
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

fn bind_once(wanted: &[Wanted], reuse: Reuse) -> Result<Vec<BoundSocket>, (usize, Attempt)> {
    let mut bound: Vec<BoundSocket> = Vec::new();
    let mut had = BTreeSet::new();
    let mut missing = Vec::new();
    for (index, Wanted { address, host }) in wanted.iter().enumerate() {
        let mut address = *address;
        let first = bound.first().and_then(|first| first.address.port());
        if let (0, Some(port)) = (address.port(), first) {
            address.set_port(port);
        }
        match bind(address, reuse) {
            Ok(one) => {
                had.insert(*host);
                bound.push(one);
            }
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
                if !absent {
                    return Err((index, attempt));
                }
                missing.push((*host, index, attempt));
            }
        }
    }
    match missing.into_iter().find(|(host, ..)| !had.contains(host)) {
        Some((_, index, attempt)) => Err((index, attempt)),
        None => Ok(bound),
    }
}

fn bind(address: SocketAddr, reuse: Reuse) -> Result<BoundSocket, ErrorCode> {
    let socket = tcp::create(&address)?;
    reuse.apply(&socket)?;
    tcp::bind(&socket, address)?;
    Ok(BoundSocket {
        address: socket.local_address()?,
        socket: Box::new(socket),
        listening: false,
    })
}

/// Checks a socket that was bound before, and takes it.
pub(super) fn adopt(socket: Box<dyn HostSocket>) -> Result<BoundSocket, ListenError> {
    match socket.local_address() {
        Ok(address) if socket.check_connected().is_err() && !socket.is_listening() => {
            Ok(BoundSocket {
                socket,
                address,
                listening: false,
            })
        }
        _ => Err(ListenError::InvalidArgument(
            "the socket has to be bound, and must not listen yet".into(),
        )),
    }
}

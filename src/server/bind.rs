//! Binding a server's addresses: all of them, or none.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::reuse::Reuse;
use crate::address::Address;
use crate::error::{Attempt, ErrorCode, ListenError};
use crate::socket::host_socket::HostSocket;
use crate::socket::tcp;

/// How often another port is tried when one is not free on every interface.
const PORT_TRIES: usize = 16;

/// An address to bind. Of several that stand for one host, those may be missing
/// that this machine does not have: `localhost` where there is no IPv6.
pub(super) struct Wanted {
    pub(super) address: SocketAddr,
    /// The number of its host.
    pub(super) host: usize,
}

pub(super) struct Bound {
    pub(super) socket: Box<dyn HostSocket>,
    pub(super) address: Address,
    pub(super) listening: bool,
}

/// Binds all addresses, or none. Port 0 becomes one port for all of them.
pub(super) fn bind_all(wanted: &[Wanted], reuse: Reuse) -> Result<Vec<Bound>, ListenError> {
    let mut tries = PORT_TRIES;
    loop {
        match bind_once(wanted, reuse) {
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

fn bind_once(wanted: &[Wanted], reuse: Reuse) -> Result<Vec<Bound>, (usize, Attempt)> {
    let mut bound: Vec<Bound> = Vec::new();
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

fn bind(address: SocketAddr, reuse: Reuse) -> Result<Bound, ErrorCode> {
    let socket = tcp::create(&address)?;
    reuse.apply(&socket)?;
    tcp::bind(&socket, address)?;
    Ok(Bound {
        address: socket.local_address()?,
        socket: Box::new(socket),
        listening: false,
    })
}

/// A socket that was bound elsewhere.
pub(super) fn adopt(socket: Box<dyn HostSocket>) -> Result<Bound, ListenError> {
    match socket.local_address() {
        Ok(address) if socket.check_connected().is_err() && !socket.is_listening() => Ok(Bound {
            socket,
            address,
            listening: false,
        }),
        _ => Err(ListenError::InvalidArgument(
            "the socket has to be bound and not listening yet".into(),
        )),
    }
}

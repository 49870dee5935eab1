//! The local addresses of connections.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use socket2::{Domain, SockAddr, Socket, Type};

const FIRST_HOST: u8 = 2;
const PORTS: std::ops::Range<u16> = 10_000..60_000;

/// Linux's EINPROGRESS.
const IN_PROGRESS: i32 = 115;

/// Local addresses that are not in use. The kernel keeps each port busy for a minute
/// after its connection, and one address has too few ports.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The last byte of 127.0.0.x.
    host: u8,
    port: u16,
}

impl Sources {
    /// Starts at another address in each process, so that a run does not use the ports
    /// of the run before.
    pub(crate) fn new() -> Sources {
        let spread = std::process::id() % 200;
        Sources {
            host: FIRST_HOST.saturating_add(u8::try_from(spread).unwrap_or(0)),
            port: PORTS.start,
        }
    }

    fn next(&mut self) -> SocketAddr {
        self.port += 1;
        if self.port == PORTS.end {
            self.port = PORTS.start;
            self.host = self.host.checked_add(1).unwrap_or(FIRST_HOST);
        }
        (Ipv4Addr::new(127, 0, 0, self.host), self.port).into()
    }

    /// Begins to connect over TCP.
    pub(crate) fn connect(&mut self, address: &SockAddr) -> Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        // Skip a port that another process has.
        while let Err(error) = socket.bind(&self.next().into()) {
            if error.kind() != std::io::ErrorKind::AddrInUse {
                return Err(error).context("cannot bind");
            }
        }
        match socket.connect(address) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => {
                Err(error).context("cannot connect")
            }
            _ => Ok(socket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_comes_twice_in_a_million() {
        let mut sources = Sources::new();
        let mut seen: Vec<_> = (0..1_000_000).map(|_| sources.next()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1_000_000);
        assert!(seen.iter().all(|source| source.ip().is_loopback()));
    }
}

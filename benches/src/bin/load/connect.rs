//! Connections that come, have one byte sent back, and go.

use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Poll};
use socket2::{Domain, Socket, Type};

use crate::noise::Noise;
use crate::result::{Measured, Timed};
use crate::server::Server;
use crate::wire::{self, Spin};

/// An operation goes from connecting to the server's end of the data; so many
/// are under way at any time.
pub(crate) fn run(
    address: SocketAddr,
    server: Server,
    time: Duration,
    connections: usize,
) -> Result<Measured> {
    let noise = Noise::new();
    let mut sources = Sources::new();
    let mut poll = Poll::new()?;
    let mut visits = Vec::with_capacity(connections);
    for place in 0..connections {
        visits.push(Visit::begin(address, place, &mut sources, &poll)?);
    }
    let mut spin = Spin::new();
    let mut events = Events::with_capacity(1024);
    let mut timed = Timed::begin(server, time, connections);
    loop {
        let now = spin.turn(&mut poll, &mut events)?;
        for event in &events {
            let place = event.token().0;
            let visit = visits.get_mut(place).context("no such event")?;
            if visit.go_on(place, &noise)? {
                timed.note(visit.since);
                *visit = Visit::begin(address, place, &mut sources, &poll)?;
            }
        }
        if let Some(measured) = timed.end(now, &spin)? {
            return Ok(measured);
        }
    }
}

struct Visit {
    socket: TcpStream,
    state: State,
    since: Instant,
}

enum State {
    Connecting,
    Sent,
    Answered,
}

impl Visit {
    fn begin(
        address: SocketAddr,
        place: usize,
        sources: &mut Sources,
        poll: &Poll,
    ) -> Result<Visit> {
        let since = Instant::now();
        let socket = sources.connect(address)?;
        Ok(Visit {
            socket: wire::register(socket, place, poll)?,
            state: State::Connecting,
            since,
        })
    }

    /// Whether the server has closed.
    fn go_on(&mut self, place: usize, noise: &Noise) -> Result<bool> {
        if let State::Connecting = self.state {
            if self.socket.peer_addr().is_err() {
                match self.socket.take_error()? {
                    Some(error) => return Err(error).context("cannot connect"),
                    None => return Ok(false),
                }
            }
            wire::write(&self.socket, noise.piece(place, 1))?.context("no room for one byte")?;
            self.state = State::Sent;
        }
        if let State::Sent = self.state {
            let mut byte = [0; 2];
            let Some(count) = wire::read(&self.socket, &mut byte)? else {
                return Ok(false);
            };
            noise.check(place, byte.get(..count).unwrap_or_default())?;
            self.socket.shutdown(Shutdown::Write)?;
            self.state = State::Answered;
        }
        use std::io::{ErrorKind, Read as _};
        match self.socket.read(&mut [0]) {
            Ok(0) => Ok(true),
            Ok(_) => bail!("more came back than was sent"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("the server did not close in peace"),
        }
    }
}

/// Local addresses that are not in use: each port is busy for a minute after its
/// connection, and one address has too few of them.
struct Sources {
    /// The last byte of 127.0.0.x.
    host: u8,
    port: u16,
}

const FIRST_HOST: u8 = 2;
const PORTS: std::ops::Range<u16> = 10_000..60_000;

impl Sources {
    /// At another place in each process, so that a run does not meet the ports
    /// of the one before.
    fn new() -> Sources {
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

    fn connect(&mut self, address: SocketAddr) -> Result<std::net::TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        // A port that something else has is passed over.
        while let Err(error) = socket.bind(&self.next().into()) {
            if error.kind() != std::io::ErrorKind::AddrInUse {
                return Err(error).context("cannot bind");
            }
        }
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => {
                Err(error).context("cannot connect")
            }
            _ => Ok(socket.into()),
        }
    }
}

/// Linux's EINPROGRESS.
const IN_PROGRESS: i32 = 115;

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

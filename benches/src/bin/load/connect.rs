//! Connections that come, have one byte sent back, and go.

use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Poll};

use crate::noise::Noise;
use crate::result::{Measured, Timed};
use crate::server::Server;
use crate::sources::Sources;
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

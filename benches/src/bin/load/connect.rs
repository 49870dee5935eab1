//! The case of connections that have one byte sent back, and close.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::Poll;
use socket2::{SockAddr, Socket};

use crate::noise::Noise;
use crate::result::Measured;
use crate::server::Server;
use crate::sources::Sources;
use crate::visits;
use crate::wire;

/// Measures operations that last from connecting to the end of the server's data, this
/// many at any time.
pub(crate) fn run(
    address: &SockAddr,
    server: Server,
    time: Duration,
    connections: usize,
) -> Result<Measured> {
    let mut sources = Sources::new();
    visits::run(server, time, connections, |place, poll, _| {
        Visit::begin(address, place, &mut sources, poll)
    })
}

struct Visit {
    socket: Socket,
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
        address: &SockAddr,
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
}

impl visits::Visit for Visit {
    fn since(&self) -> Instant {
        self.since
    }

    fn go_on(&mut self, place: usize, noise: &Noise) -> Result<bool> {
        if let State::Connecting = self.state {
            if !visits::is_connected(&self.socket)? {
                return Ok(false);
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
        match self.socket.read(&mut [0]) {
            Ok(0) => Ok(true),
            Ok(_) => bail!("more came back than was sent"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("the server did not close in peace"),
        }
    }
}

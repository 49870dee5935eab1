//! Connections that come and go, so many at any time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::{Events, Poll};
use socket2::Socket;

use crate::noise::Noise;
use crate::result::{Measured, Timed};
use crate::server::Server;
use crate::wire::Spin;

/// One of them: an operation goes from connecting to the server's end of the data.
pub(crate) trait Visit {
    /// When it began to connect.
    fn since(&self) -> Instant;

    /// Whether the server has closed.
    fn go_on(&mut self, place: usize, noise: &Noise) -> Result<bool>;
}

/// `begin` begins one at a place, the first one there or a later one.
pub(crate) fn run<V: Visit>(
    server: Server,
    time: Duration,
    connections: usize,
    mut begin: impl FnMut(usize, &Poll, bool) -> Result<V>,
) -> Result<Measured> {
    let noise = Noise::new();
    let mut poll = Poll::new()?;
    let mut visits = Vec::with_capacity(connections);
    for place in 0..connections {
        visits.push(begin(place, &poll, true)?);
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
                timed.note(visit.since());
                *visit = begin(place, &poll, false)?;
            }
        }
        if let Some(measured) = timed.end(now, &spin)? {
            return Ok(measured);
        }
    }
}

/// Whether it is connected by now.
pub(crate) fn is_connected(socket: &Socket) -> Result<bool> {
    if socket.peer_addr().is_ok() {
        return Ok(true);
    }
    match socket.take_error()? {
        Some(error) => Err(error).context("cannot connect"),
        None => Ok(false),
    }
}

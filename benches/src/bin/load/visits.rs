//! Short connections, a fixed number at any time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::{Events, Poll};
use socket2::Socket;

use crate::noise::Noise;
use crate::result::{Measured, Timed};
use crate::server::Server;
use crate::wire::Spin;

/// A short connection. Its operation lasts from connecting to the end of the server's
/// data.
pub(crate) trait Visit {
    /// The time at which it began to connect.
    fn since(&self) -> Instant;

    /// Returns true once the server has closed.
    fn go_on(&mut self, place: usize, noise: &Noise) -> Result<bool>;
}

/// Measures short connections. `begin` starts one in a slot, the first one there or a
/// later one.
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

/// Returns true once the socket is connected.
pub(crate) fn is_connected(socket: &Socket) -> Result<bool> {
    if socket.peer_addr().is_ok() {
        return Ok(true);
    }
    match socket.take_error()? {
        Some(error) => Err(error).context("cannot connect"),
        None => Ok(false),
    }
}

//! The case of idle connections.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll};
use socket2::{SockAddr, Socket};

use crate::noise::{LONGEST, Noise};
use crate::result::Measured;
use crate::server::Server;
use crate::wire::{self, AT_ONCE, Spin};

/// The server's memory is measured once it has not fallen for this long.
const CALM: Duration = Duration::from_millis(100);
/// The memory is measured after this long, even if it still falls.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// Measures the server's memory per connection, after this many bytes have gone over
/// each connection and back, a few connections at a time. All of them stay open.
pub(crate) fn run(
    address: &SockAddr,
    server: Server,
    connections: usize,
    bytes: usize,
) -> Result<Measured> {
    let noise = Noise::new();
    ensure!(connections > 0, "no connections");
    // The first connection makes the server allocate memory that all of them share.
    drop(busy(address, 1, bytes, &noise)?);
    let before = at_rest(server)?;
    let mut sockets = Vec::with_capacity(connections);
    while sockets.len() < connections {
        let some = AT_ONCE.min(connections - sockets.len());
        sockets.extend(busy(address, some, bytes, &noise)?);
    }
    let memory = at_rest(server)?.saturating_sub(before);
    drop(sockets);
    Ok(Measured {
        memory: Some(memory as f64 / connections as f64),
        ..Measured::default()
    })
}

/// Opens connections, and sends this many bytes over all of them at the same time.
fn busy(address: &SockAddr, count: usize, bytes: usize, noise: &Noise) -> Result<Vec<Socket>> {
    let mut poll = Poll::new()?;
    let mut transfers = Vec::with_capacity(count);
    for (place, socket) in wire::connect(address, count, noise)?
        .into_iter()
        .enumerate()
    {
        transfers.push(Transfer {
            socket: wire::register(socket, place, &poll)?,
            sent: 0,
            received: 0,
        });
    }
    let mut spin = Spin::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; LONGEST];
    while transfers.iter().any(|transfer| transfer.received < bytes) {
        spin.turn(&mut poll, &mut events)?;
        for event in &events {
            let transfer = transfers.get_mut(event.token().0);
            let transfer = transfer.context("no such event")?;
            transfer.go_on(bytes, noise, &mut buffer)?;
        }
    }
    Ok(transfers
        .into_iter()
        .map(|transfer| transfer.socket)
        .collect())
}

struct Transfer {
    socket: Socket,
    sent: usize,
    received: usize,
}

impl Transfer {
    /// Sends and receives as much as is possible without waiting.
    fn go_on(&mut self, bytes: usize, noise: &Noise, buffer: &mut [u8]) -> Result<()> {
        while self.sent < bytes {
            let piece = noise.piece(self.sent, LONGEST.min(bytes - self.sent));
            match wire::write(&self.socket, piece)? {
                Some(count) => self.sent += count,
                None => break,
            }
        }
        while self.received < bytes {
            let Some(count) = wire::read(&self.socket, buffer)? else {
                break;
            };
            noise.check(self.received, buffer.get(..count).unwrap_or_default())?;
            self.received += count;
            ensure!(self.received <= self.sent, "more came back than was sent");
        }
        Ok(())
    }
}

/// Returns the server's memory once it has stopped falling, because a server may free
/// some of it a little later.
fn at_rest(server: Server) -> Result<u64> {
    let started = Instant::now();
    let (mut memory, mut since) = (server.memory()?, started);
    while since.elapsed() < CALM && started.elapsed() < PATIENCE {
        sleep(PAUSE);
        let now = server.memory()?;
        if now < memory {
            since = Instant::now();
        }
        memory = now;
    }
    Ok(memory)
}

//! The case of messages that come back: the next one follows on the same connection.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll};
use socket2::SockAddr;

use crate::noise::{LONGEST, Noise};
use crate::result::{Measured, Timed};
use crate::server::Server;
use crate::tls::{Client, Connection};
use crate::wire::{self, Spin};

pub(crate) fn run(
    address: &SockAddr,
    server: Server,
    time: Duration,
    bytes: usize,
    connections: usize,
    client: Option<&Client>,
) -> Result<Measured> {
    let noise = Noise::new();
    ensure!((1..LONGEST).contains(&bytes), "too long a message");
    let mut poll = Poll::new()?;
    let connections = match client {
        Some(client) => (0..connections)
            .map(|place| Connection::secure(address, client, place, &poll))
            .collect::<Result<Vec<_>>>()?,
        None => wire::connect(address, connections, &noise)?
            .into_iter()
            .enumerate()
            .map(|(place, socket)| Ok(Connection::plain(wire::register(socket, place, &poll)?)))
            .collect::<Result<Vec<_>>>()?,
    };
    let mut players = Vec::with_capacity(connections.len());
    for (place, connection) in connections.into_iter().enumerate() {
        players.push(Player {
            connection,
            place: place * 4099,
            bytes,
            sent: 0,
            received: 0,
            since: Instant::now(),
        });
    }
    // Take the events that are pending from the set-up.
    let mut events = Events::with_capacity(1024);
    poll.poll(&mut events, Some(Duration::ZERO))?;
    for player in &mut players {
        player.send(&noise)?;
    }

    let mut spin = Spin::new();
    let mut buffer = vec![0; LONGEST];
    let mut timed = Timed::begin(server, time, players.len());
    loop {
        let now = spin.turn(&mut poll, &mut events)?;
        for event in &events {
            let player = players.get_mut(event.token().0).context("no such event")?;
            if event.is_writable() && player.connection.flush()? && player.sent < player.bytes {
                player.send(&noise)?;
            }
            if event.is_readable() && player.receive(&noise, &mut buffer)? {
                timed.note(player.since);
                player.next(&noise)?;
            }
        }
        if let Some(measured) = timed.end(now, &spin)? {
            return Ok(measured);
        }
    }
}

struct Player {
    connection: Connection,
    /// The message's position in the noise.
    place: usize,
    bytes: usize,
    sent: usize,
    received: usize,
    since: Instant,
}

impl Player {
    fn send(&mut self, noise: &Noise) -> Result<()> {
        let rest = noise.piece(self.place + self.sent, self.bytes - self.sent);
        self.sent += self.connection.write(rest)?.unwrap_or(0);
        Ok(())
    }

    /// Returns true once the message is complete.
    fn receive(&mut self, noise: &Noise, buffer: &mut [u8]) -> Result<bool> {
        // One read empties the socket, because the buffer is longer than a message.
        let Player {
            place, received, ..
        } = self;
        self.connection.receive(buffer, &mut |bytes| {
            noise.check(*place + *received, bytes)?;
            *received += bytes.len();
            Ok(())
        })?;
        ensure!(self.received <= self.sent, "more came back than was sent");
        Ok(self.received == self.bytes)
    }

    fn next(&mut self, noise: &Noise) -> Result<()> {
        self.place += self.bytes;
        (self.sent, self.received) = (0, 0);
        self.since = Instant::now();
        self.send(noise)
    }
}

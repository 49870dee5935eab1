//! The case of bulk data over one connection and back.

use std::time::{Duration, Instant};

use anyhow::Result;
use mio::{Events, Poll};
use socket2::SockAddr;

use crate::noise::{LONGEST, Noise};
use crate::result::{Measured, Stretch};
use crate::server::Server;
use crate::wire::{self, Spin};

/// The most bytes in one write.
const CHUNK: usize = 64 << 10;

/// The bytes of an operation: a megabyte there and back.
const MEGABYTE: f64 = 1e6;

/// Measures with at most `window` bytes in flight, or, if that is 0, as many as the
/// kernel takes. The warm-up takes a fifth of the time.
pub(crate) fn run(
    address: &SockAddr,
    server: Server,
    time: Duration,
    window: usize,
) -> Result<Measured> {
    let noise = Noise::new();
    let window = if window == 0 { usize::MAX } else { window };
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let socket = wire::connect(address, 1, &noise)?.remove(0);
    let socket = wire::register(socket, 0, &poll)?;
    let mut spin = Spin::new();
    let mut buffer = vec![0; LONGEST];
    let (mut sent, mut received) = (0, 0);
    let (mut readable, mut writable) = (true, true);
    let started = Instant::now();
    let mut stretch = None;
    loop {
        let now = spin.turn(&mut poll, &mut events)?;
        for event in &events {
            readable |= event.is_readable();
            writable |= event.is_writable();
        }
        if readable {
            match wire::read(&socket, &mut buffer)? {
                Some(count) => {
                    noise.check(received, buffer.get(..count).unwrap_or_default())?;
                    received += count;
                    readable = count == LONGEST;
                }
                None => readable = false,
            }
        }
        if writable && window - (sent - received) >= CHUNK {
            match wire::write(&socket, noise.piece(sent, CHUNK))? {
                Some(count) => sent += count,
                None => writable = false,
            }
        }
        let elapsed = now - started;
        if stretch.is_none() && elapsed > time / 5 {
            stretch = Some((received, Stretch::begin(server, &spin)?));
        }
        let Some((before, stretch)) = &stretch else {
            continue;
        };
        if elapsed > time + time / 5 {
            return stretch.end(&spin, (received - before) as f64 / MEGABYTE);
        }
    }
}

//! The cases of bulk data in one direction, over TLS.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::{Events, Poll};
use socket2::SockAddr;

use crate::result::{Measured, Stretch};
use crate::server::Server;
use crate::tls::{Client, Connection};
use crate::wire::Spin;

/// The length of a source's pattern, in which each byte is one more than the one before.
/// It is a prime, so that no chunk size divides it.
const PERIOD: usize = 251;

/// The most bytes in one write to a sink: more than a TLS record.
const CHUNK: usize = 64 << 10;

/// The bytes of an operation: a megabyte.
const MEGABYTE: f64 = 1e6;

/// Measures a server that sends. The warm-up takes a fifth of the time.
pub(crate) fn source(
    address: &SockAddr,
    server: Server,
    time: Duration,
    client: &Client,
) -> Result<Measured> {
    let block: Vec<u8> = (0..=250).cycle().take(PERIOD + CHUNK).collect();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut connection = Connection::secure(address, client, 0, &poll)?;
    let mut spin = Spin::new();
    let (mut received, mut readable) = (0, true);
    let started = Instant::now();
    let mut stretch = None;
    loop {
        let now = spin.turn(&mut poll, &mut events)?;
        readable |= events.iter().any(|event| event.is_readable());
        if readable {
            let some = connection.receive(&mut [], &mut |bytes| {
                let expected = block.get(received % PERIOD..).unwrap_or_default();
                ensure!(
                    expected.get(..bytes.len()) == Some(bytes),
                    "other bytes came than a source sends"
                );
                received += bytes.len();
                Ok(())
            })?;
            readable = some.is_some();
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

/// Measures a server that receives and counts; the time ends with its answer. The
/// warm-up is a connection of its own, for a fifth of the time.
pub(crate) fn sink(
    address: &SockAddr,
    server: Server,
    time: Duration,
    client: &Client,
) -> Result<Measured> {
    let mut spin = Spin::new();
    fill(address, client, time / 5, &mut spin)?;
    let stretch = Stretch::begin(server, &spin)?;
    let bytes = fill(address, client, time, &mut spin)?;
    stretch.end(&spin, bytes as f64 / MEGABYTE)
}

/// Sends bytes, and returns their number, which the server has counted too.
fn fill(address: &SockAddr, client: &Client, time: Duration, spin: &mut Spin) -> Result<usize> {
    let chunk = [b'.'; CHUNK];
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut connection = Connection::secure(address, client, 0, &poll)?;
    let mut sent = 0;
    let started = Instant::now();
    let mut ended = false;
    while !ended {
        let last = started.elapsed() > time;
        let bytes = if last { &b"\n"[..] } else { &chunk };
        match connection.write(bytes)? {
            Some(count) => sent += count,
            None => {
                spin.turn(&mut poll, &mut events)?;
                continue;
            }
        }
        ended = last;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        spin.turn(&mut poll, &mut events)?;
        connection.flush()?;
        connection.receive(&mut [], &mut |bytes| {
            answer.extend_from_slice(bytes);
            Ok(())
        })?;
    }
    let answer = String::from_utf8_lossy(&answer);
    ensure!(
        answer == format!("{sent}\n"),
        "{sent} bytes were sent, and the answer was {answer:?}"
    );
    Ok(sent)
}

//! The case of lines of 100 bytes, for a server that counts them.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll};
use socket2::{SockAddr, Socket, Type};

use crate::result::{Measured, Stretch};
use crate::server::Server;
use crate::wire::{self, Spin};

/// The length of a line, with the `\r\n` at its end.
const LINE: usize = 100;

/// The number of lines in one write.
const LINES: usize = 640;

/// Measures lines: each is an operation, and the time ends with the server's answer. The
/// warm-up is a connection of its own, for a fifth of the time.
pub(crate) fn run(address: &SockAddr, server: Server, time: Duration) -> Result<Measured> {
    let mut spin = Spin::new();
    send(address, time / 5, &mut spin)?;
    let stretch = Stretch::begin(server, &spin)?;
    let lines = send(address, time, &mut spin)?;
    stretch.end(&spin, lines as f64)
}

/// Sends lines, and returns their number, which the server has counted too.
fn send(address: &SockAddr, time: Duration, spin: &mut Spin) -> Result<usize> {
    let block = [&[b'.'; LINE - 2], &b"\r\n"[..]].concat().repeat(LINES);
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.connect(address)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut socket = wire::register(socket, 0, &poll)?;
    let (mut sent, mut writable) = (0, true);
    let started = Instant::now();
    // Complete the last line.
    while started.elapsed() < time || sent % LINE != 0 {
        if !writable {
            spin.turn(&mut poll, &mut events)?;
            writable = events.iter().any(|event| event.is_writable());
            continue;
        }
        let rest = block.get(sent % block.len()..).unwrap_or_default();
        match wire::write(&socket, rest)? {
            Some(count) => sent += count,
            None => writable = false,
        }
    }
    socket.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    loop {
        spin.turn(&mut poll, &mut events)?;
        if events.is_empty() {
            continue;
        }
        match socket.read_to_end(&mut answer) {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("no answer"),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let lines = sent / LINE;
    ensure!(
        answer == format!("{lines} {sent}\n"),
        "{lines} lines, {sent} bytes were sent, and the answer was {answer:?}"
    );
    Ok(lines)
}

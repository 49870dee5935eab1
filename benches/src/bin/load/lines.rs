//! Lines of 100 bytes, for a server that counts them.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Poll};

use crate::result::{Measured, Stretch};
use crate::server::Server;
use crate::wire::{self, Spin};

/// With the `\r\n` at its end.
const LINE: usize = 100;

/// How many lines are sent at once.
const LINES: usize = 640;

/// An operation is a line, and the time ends with the server's answer. Getting
/// warm is a connection of its own, for a fifth of the time.
pub(crate) fn run(address: SocketAddr, server: Server, time: Duration) -> Result<Measured> {
    send(address, time / 5)?;
    let stretch = Stretch::begin(server)?;
    let lines = send(address, time)?;
    stretch.end(lines as f64)
}

/// How many lines the server counted, which are those that were sent.
fn send(address: SocketAddr, time: Duration) -> Result<usize> {
    let block = [&[b'.'; LINE - 2], &b"\r\n"[..]].concat().repeat(LINES);
    let socket = TcpStream::connect(address)?;
    let mut answers = socket.try_clone()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let socket = wire::register(socket, 0, &poll)?;
    let mut spin = Spin::new();
    let (mut sent, mut writable) = (0, true);
    let started = Instant::now();
    // To the end of a line.
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
    answers.set_nonblocking(false)?;
    answers.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut answer = String::new();
    answers.read_to_string(&mut answer).context("no answer")?;
    let lines = sent / LINE;
    ensure!(
        answer == format!("{lines} {sent}\n"),
        "{lines} lines, {sent} bytes were sent, and the answer was {answer:?}"
    );
    Ok(lines)
}

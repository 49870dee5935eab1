//! Sockets, and waiting for them without sleeping.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{SockAddr, Socket, Type};

use crate::noise::Noise;

/// How long nothing at all may happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections are made before the first of them is answered: fewer
/// than any server's backlog, so that none has to be tried again a second later.
pub(crate) const AT_ONCE: usize = 32;

/// A connected socket, which sends at once what is written.
pub(crate) fn open(address: &SockAddr) -> Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.connect(address).context("cannot connect")?;
    if !address.is_unix() {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// Connected sockets, each of which has had one byte sent back.
pub(crate) fn connect(address: &SockAddr, count: usize, noise: &Noise) -> Result<Vec<Socket>> {
    let mut sockets: Vec<Socket> = Vec::with_capacity(count);
    while sockets.len() < count {
        let first = sockets.len();
        for place in first..count.min(first + AT_ONCE) {
            let mut socket = open(address).with_context(|| format!("connection {place}"))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(noise.piece(place, 1))?;
            sockets.push(socket);
        }
        for (place, socket) in sockets.iter_mut().enumerate().skip(first) {
            let mut byte = [0];
            socket
                .read_exact(&mut byte)
                .with_context(|| format!("nothing came back on connection {place}"))?;
            noise.check(place, &byte)?;
        }
    }
    Ok(sockets)
}

/// The socket, registered for reading and writing, which wait no more.
pub(crate) fn register(socket: Socket, place: usize, poll: &Poll) -> Result<Socket> {
    socket.set_nonblocking(true)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    let descriptor = socket.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&descriptor), Token(place), both)?;
    Ok(socket)
}

/// How many bytes were read; none if there is nothing yet.
pub(crate) fn read(mut socket: &Socket, buffer: &mut [u8]) -> Result<Option<usize>> {
    match socket.read(buffer) {
        Ok(0) => bail!("the server closed the connection"),
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("cannot receive"),
    }
}

/// How many bytes were written; none if there is no room yet.
pub(crate) fn write(mut socket: &Socket, bytes: &[u8]) -> Result<Option<usize>> {
    match socket.write(bytes) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("cannot send"),
    }
}

/// Asks for events again and again.
#[derive(Debug)]
pub(crate) struct Spin {
    last: Instant,
    /// Time that went into asking in vain.
    idle: Duration,
}

impl Spin {
    pub(crate) fn new() -> Spin {
        Spin {
            last: Instant::now(),
            idle: Duration::ZERO,
        }
    }

    /// For how long there was nothing to do.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// What has happened, maybe nothing; and what time it is. Fails when nothing
    /// has happened for long.
    pub(crate) fn turn(&mut self, poll: &mut Poll, events: &mut Events) -> Result<Instant> {
        let asked = Instant::now();
        match poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let now = Instant::now();
        if !events.is_empty() {
            self.last = now;
            return Ok(now);
        }
        self.idle += now - asked;
        if now - self.last > PATIENCE {
            bail!("the server has done nothing for {} s", PATIENCE.as_secs());
        }
        Ok(now)
    }
}

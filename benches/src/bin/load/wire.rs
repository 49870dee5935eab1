//! Sockets, and polling for their events without sleeping.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{SockAddr, Socket, Type};

use crate::noise::Noise;

/// The longest time without any event.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of connections that are opened before the first is answered. It is lower
/// than any server's backlog: the kernel would try others again a second later.
pub(crate) const AT_ONCE: usize = 32;

/// Connects a socket that sends written bytes at once (TCP_NODELAY).
pub(crate) fn open(address: &SockAddr) -> Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.connect(address).context("cannot connect")?;
    if !address.is_unix() {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// Opens connections, each of which has had one byte sent back.
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

/// Makes a socket non-blocking, and registers it for reading and writing.
pub(crate) fn register(socket: Socket, place: usize, poll: &Poll) -> Result<Socket> {
    socket.set_nonblocking(true)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    let descriptor = socket.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&descriptor), Token(place), both)?;
    Ok(socket)
}

/// Reads once. Returns the number of bytes, or `None` if there are none yet.
pub(crate) fn read(mut socket: &Socket, buffer: &mut [u8]) -> Result<Option<usize>> {
    match socket.read(buffer) {
        Ok(0) => bail!("the server closed the connection"),
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("cannot receive"),
    }
}

/// Writes once. Returns the number of bytes, or `None` if there is no room yet.
pub(crate) fn write(mut socket: &Socket, bytes: &[u8]) -> Result<Option<usize>> {
    match socket.write(bytes) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("cannot send"),
    }
}

/// Polls for events without sleeping.
#[derive(Debug)]
pub(crate) struct Spin {
    last: Instant,
    /// The time of polls without an event.
    idle: Duration,
}

impl Spin {
    pub(crate) fn new() -> Spin {
        Spin {
            last: Instant::now(),
            idle: Duration::ZERO,
        }
    }

    /// Returns the time in which there was nothing to do.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// Polls once. Returns the events, which may be none, and the time. Fails after a long
    /// time without events.
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

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::Poll;
use socket2::{SockAddr, Socket};

use super::{Client, Session};
use crate::wire;

/// The longest time for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, with TLS or without.
pub(crate) struct Connection {
    socket: Socket,
    session: Option<Session>,
}

impl Connection {
    pub(crate) fn plain(socket: Socket) -> Connection {
        Connection {
            socket,
            session: None,
        }
    }

    /// Opens a connection, completes the handshake, and registers the socket for reading
    /// and writing.
    pub(crate) fn secure(
        address: &SockAddr,
        client: &Client,
        place: usize,
        poll: &Poll,
    ) -> Result<Connection> {
        let socket = wire::register(wire::open(address)?, place, poll)?;
        let mut session = Session::begin(client, place)?;
        session.flush(&socket)?;
        let started = Instant::now();
        while !session.is_established() {
            let received = session.receive(&socket, &mut |_| Ok(()))?;
            ensure!(received != Some(0), "the server broke the handshake off");
            ensure!(started.elapsed() < PATIENCE, "the handshake does not end");
        }
        Ok(Connection {
            socket,
            session: Some(session),
        })
    }

    /// Receives once. Returns the number of bytes, or `None` if there are none yet. `take`
    /// gets the plain text, through `buffer` without TLS.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<usize>> {
        let Some(session) = &mut self.session else {
            let received = wire::read(&self.socket, buffer)?;
            if let Some(received) = received {
                take(buffer.get(..received).unwrap_or_default())?;
            }
            return Ok(received);
        };
        let received = session.receive(&self.socket, take)?;
        ensure!(received != Some(0), "the server closed the connection");
        Ok(received)
    }

    /// Writes once. Returns the number of bytes, or `None` if there is no room yet. With
    /// TLS a part of them may need a [flush](Self::flush).
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        match &mut self.session {
            Some(session) => session.write(&self.socket, bytes),
            None => wire::write(&self.socket, bytes),
        }
    }

    /// Sends written bytes, and returns true once all are sent.
    pub(crate) fn flush(&mut self) -> Result<bool> {
        match &mut self.session {
            Some(session) => session.flush(&self.socket),
            None => Ok(true),
        }
    }
}

use std::io::{ErrorKind, Read as _};
use std::ops::Range;

use anyhow::{Context, Result, bail};
use rustls::HandshakeKind;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus, WriteTraffic};
use socket2::Socket;

use super::Client;
use crate::wire;

/// The size of the buffer for received bytes, which is larger than a record.
const ROOM: usize = 32 << 10;
const MOST: usize = 512 << 10;

/// The room for a record: the longest payload, and more than TLS adds to it.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 256;

/// A session, apart from its socket.
pub(crate) struct Session {
    connection: UnbufferedClientConnection,
    /// Received bytes, up to `filled`, that are not decrypted yet.
    incoming: Vec<u8>,
    filled: usize,
    /// Encrypted records, of which a part is not sent yet.
    outgoing: Vec<u8>,
    unsent: Range<usize>,
    ended: bool,
}

impl Session {
    /// Starts a session. Its first bytes wait for a [flush](Self::flush).
    pub(crate) fn begin(client: &Client, place: usize) -> Result<Session> {
        let mut session = Session {
            connection: client.connection(place)?,
            incoming: vec![0; ROOM],
            filled: 0,
            outgoing: Vec::new(),
            unsent: 0..0,
            ended: false,
        };
        session.process(&mut |_| bail!("data before the handshake"))?;
        Ok(session)
    }

    pub(crate) fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Returns true once the server has ended its half (close_notify).
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Receives once. Returns the number of encrypted bytes: 0 at the end of the
    /// connection, `None` if there are none yet. `take` gets the plain text.
    pub(crate) fn receive(
        &mut self,
        mut socket: &Socket,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<usize>> {
        let room = self.incoming.get_mut(self.filled..).unwrap_or_default();
        let space = room.len();
        let received = match socket.read(room) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("cannot receive"),
        };
        self.filled += received;
        self.process(take)?;
        if received == space && self.incoming.len() < MOST {
            self.incoming.resize(self.incoming.len() * 2, 0);
        }
        self.flush(socket)?;
        Ok(Some(received))
    }

    /// Encrypts and sends. Returns the number of bytes, which is all of them, or `None` if
    /// earlier ones are not sent yet.
    pub(crate) fn write(&mut self, socket: &Socket, bytes: &[u8]) -> Result<Option<usize>> {
        if !self.flush(socket)? {
            return Ok(None);
        }
        let most = bytes.len() + (bytes.len() / RECORD + 1) * OVERHEAD;
        self.encrypt(most, |traffic, records| {
            traffic.encrypt(bytes, records).context("cannot encrypt")
        })?;
        self.flush(socket)?;
        Ok(Some(bytes.len()))
    }

    /// Ends this half (close_notify).
    pub(crate) fn end(&mut self, socket: &Socket) -> Result<()> {
        self.encrypt(OVERHEAD, |traffic, records| {
            let ended = traffic.queue_close_notify(records);
            ended.context("cannot end the session")
        })?;
        match self.flush(socket)? {
            true => Ok(()),
            false => bail!("no room for the end of the session"),
        }
    }

    /// Sends encrypted records, and returns true once all are sent.
    pub(crate) fn flush(&mut self, socket: &Socket) -> Result<bool> {
        while !self.unsent.is_empty() {
            let rest = self.outgoing.get(self.unsent.clone()).unwrap_or_default();
            match wire::write(socket, rest)? {
                Some(sent) => self.unsent.start += sent,
                None => return Ok(false),
            }
        }
        self.unsent = 0..0;
        Ok(true)
    }

    fn encrypt(
        &mut self,
        most: usize,
        encrypt: impl FnOnce(&mut WriteTraffic<'_, ClientConnectionData>, &mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        let incoming = self.incoming.get_mut(..self.filled).unwrap_or_default();
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(incoming);
        let ConnectionState::WriteTraffic(mut traffic) = state? else {
            bail!("the session is not established");
        };
        let records = room(&mut self.outgoing, self.unsent.end, most);
        self.unsent.end += encrypt(&mut traffic, records)?;
        Ok(())
    }

    /// Decrypts the complete records among the received bytes.
    fn process(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut done = 0;
        loop {
            let incoming = self.incoming.get_mut(done..self.filled);
            let incoming = incoming.unwrap_or_default();
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(incoming);
            let mut waits = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        take(record.payload)?;
                        discard += record.discard;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let records = room(&mut self.outgoing, self.unsent.end, RECORD + OVERHEAD);
                    self.unsent.end += data.encode(records)?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.ended = true,
                _ => waits = true,
            }
            done += discard;
            if waits {
                break;
            }
        }
        self.incoming.copy_within(done..self.filled, 0);
        self.filled -= done;
        Ok(())
    }
}

/// Returns a part of the buffer.
fn room(buffer: &mut Vec<u8>, start: usize, length: usize) -> &mut [u8] {
    if buffer.len() < start + length {
        buffer.resize(start + length, 0);
    }
    buffer.get_mut(start..).unwrap_or_default()
}

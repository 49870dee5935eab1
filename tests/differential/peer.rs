//! The other end of a subject's connection: a plain socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    /// None once it is closed.
    socket: Option<TcpStream>,
    address: SocketAddr,
    subject: SocketAddr,
    /// All that has been sent.
    pub(crate) sent: Vec<u8>,
    /// How much has been received of what the subject has written.
    received: usize,
    wrong: bool,
}

impl Peer {
    pub(crate) fn new(socket: TcpStream) -> Peer {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer {
            address: socket.local_addr().unwrap(),
            subject: socket.peer_addr().unwrap(),
            socket: Some(socket),
            sent: Vec::new(),
            received: 0,
            wrong: false,
        }
    }

    /// The addresses of both ends by the names that they have for everybody.
    pub(crate) fn name(&self, address: &str) -> Option<&'static str> {
        if address == self.address.to_string() {
            Some("the peer's address")
        } else if address == self.subject.to_string() {
            Some("its own address")
        } else {
            None
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends in one segment, as far as the system does so. To a subject that is
    /// gone it may be in vain.
    pub(crate) fn send(&mut self, data: &[u8]) {
        self.sent.extend_from_slice(data);
        if let Some(mut socket) = self.socket.as_ref() {
            drop(socket.write_all(data));
        }
    }

    pub(crate) fn fin(&mut self) {
        if let Some(socket) = &self.socket {
            drop(socket.shutdown(Shutdown::Write));
        }
    }

    pub(crate) fn close(&mut self) {
        self.socket = None;
    }

    /// Closes with RST.
    pub(crate) fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            let options = SockRef::from(&socket);
            options.set_linger(Some(Duration::ZERO)).unwrap();
        }
    }

    /// Receives all of `written`; says what it got.
    pub(crate) fn receive(&mut self, written: &[u8]) -> String {
        let end = self.take(written, written.len());
        self.verdict(written, end)
    }

    /// Receives to the end; says what it got and how that ended.
    pub(crate) fn finish(&mut self, written: &[u8]) -> String {
        let end = self.take(written, usize::MAX).unwrap_or("more");
        format!("{}, {end}", self.verdict(written, None))
    }

    fn verdict(&self, written: &[u8], end: Option<&str>) -> String {
        let got = match self.received.cmp(&written.len()) {
            _ if self.wrong => "other bytes",
            std::cmp::Ordering::Less => "a part",
            std::cmp::Ordering::Equal => "everything",
            std::cmp::Ordering::Greater => "too much",
        };
        end.map_or_else(|| got.to_owned(), |end| format!("{got}, {end}"))
    }

    /// Receives until there are `count` bytes, or to the end, and tells which.
    fn take(&mut self, written: &[u8], count: usize) -> Option<&'static str> {
        let mut socket = self.socket.as_ref()?;
        let mut piece = vec![0; 1 << 16];
        while self.received < count {
            let most = piece.len().min(count - self.received);
            match socket.read(&mut piece[..most]) {
                Ok(0) => return Some("end"),
                Ok(got) => {
                    let expected = written.get(self.received..self.received + got);
                    self.wrong |= expected != piece.get(..got);
                    self.received += got;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some("reset"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some("silence"),
                Err(error) => panic!("the peer's socket: {error}"),
            }
        }
        None
    }
}

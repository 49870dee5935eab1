//! The other end of a subject's connection: a plain socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    /// None once the socket is closed.
    socket: Option<TcpStream>,
    address: SocketAddr,
    subject: SocketAddr,
    /// All bytes that were sent.
    pub(crate) sent: Vec<u8>,
    /// The number of the subject's bytes that were received.
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

    /// The addresses of both ends, by the names that both drivers use.
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

    /// Sends in one segment, if the kernel does so. A subject that is gone does not
    /// receive it.
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

    /// Closes the connection with a reset.
    pub(crate) fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            let options = SockRef::from(&socket);
            options.set_linger(Some(Duration::ZERO)).unwrap();
        }
    }

    /// Receives all of `written`, and describes what was received.
    pub(crate) fn receive(&mut self, written: &[u8]) -> String {
        let end = self.take(written, written.len());
        self.verdict(written, end)
    }

    /// Receives to the end, and describes what was received and how it ended.
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

    /// Receives until there are `count` bytes, or to the end. Returns which of the two.
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

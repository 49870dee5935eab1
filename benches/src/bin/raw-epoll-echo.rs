//! The floor: an echo with an epoll loop and nothing above it.
//!
//! One `recv` and one `send` for each message, edge-triggered: what is short has
//! emptied the socket. What the peer does not take waits with its connection,
//! which is not read until it is gone.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::Result;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// What one `recv` may bring.
const CHUNK: usize = 256 << 10;

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let registry = poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("listening on {}", listener.local_addr()?);

    let mut events = Events::with_capacity(1024);
    let mut connections = Connections::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((socket, _)) = listener.accept() {
                    connections.add(socket, &poll)?;
                }
                continue;
            }
            connections.serve(event.token(), &mut chunk);
        }
    }
}

/// By token; a place whose connection has ended is used again.
#[derive(Default)]
struct Connections {
    places: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Connections {
    fn add(&mut self, mut socket: TcpStream, poll: &Poll) -> Result<()> {
        let place = self.free.pop().unwrap_or(self.places.len());
        socket.set_nodelay(true)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, Token(place), both)?;
        let connection = Some(Connection {
            socket,
            unsent: Vec::new(),
        });
        match self.places.get_mut(place) {
            Some(free) => *free = connection,
            None => self.places.push(connection),
        }
        Ok(())
    }

    fn serve(&mut self, Token(place): Token, chunk: &mut [u8]) {
        let Some(found) = self.places.get_mut(place) else {
            return;
        };
        let ended = match found {
            Some(connection) => connection.serve(chunk).is_none(),
            None => false,
        };
        if ended {
            *found = None;
            self.free.push(place);
        }
    }
}

struct Connection {
    socket: TcpStream,
    unsent: Vec<u8>,
}

impl Connection {
    /// Does what can be done without waiting; none once the connection ended.
    fn serve(&mut self, chunk: &mut [u8]) -> Option<()> {
        loop {
            while !self.unsent.is_empty() {
                let sent = match self.socket.write(&self.unsent) {
                    Ok(sent) => sent,
                    Err(error) => return waits(&error),
                };
                self.unsent.drain(..sent);
            }
            let received = match self.socket.read(chunk) {
                Ok(0) => return None,
                Ok(received) => received,
                Err(error) => return waits(&error),
            };
            let emptied = received < chunk.len();
            let mut data = chunk.get(..received)?;
            while !data.is_empty() {
                match self.socket.write(data) {
                    Ok(sent) => data = data.get(sent..)?,
                    Err(error) => {
                        waits(&error)?;
                        self.unsent.extend_from_slice(data);
                        return Some(());
                    }
                }
            }
            if emptied {
                return Some(());
            }
        }
    }
}

/// Whether the socket will tell when it is ready; none if it has failed.
fn waits(error: &std::io::Error) -> Option<()> {
    (error.kind() == ErrorKind::WouldBlock).then_some(())
}

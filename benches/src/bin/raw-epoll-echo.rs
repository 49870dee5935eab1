//! An echo server with an epoll loop and no runtime: the least cost that is possible.
//!
//! usage: raw-epoll-echo [unix:PATH]
//!
//! It makes one `recv` and one `send` for each message, edge-triggered: a short read means
//! that the socket is empty. Bytes that the peer does not take wait, and the connection
//! is not read until they are sent.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};

use anyhow::{Context, Result};
use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Events, Interest, Poll, Token};

/// The most bytes of one `recv`.
const CHUNK: usize = 256 << 10;

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<()> {
    if let Some(address) = std::env::args().nth(1) {
        let path = address.strip_prefix("unix:");
        let listener = UnixListener::bind(path.context("usage: raw-epoll-echo [unix:PATH]")?)?;
        return serve(listener, &address, |listener| {
            let (socket, _) = listener.accept()?;
            Ok(socket)
        });
    }
    let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let address = listener.local_addr()?.to_string();
    serve(listener, &address, |listener| {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        Ok(socket)
    })
}

fn serve<L: Source, S: Source + Read + Write>(
    mut listener: L,
    address: &str,
    accept: impl Fn(&L) -> io::Result<S>,
) -> Result<()> {
    let mut poll = Poll::new()?;
    let registry = poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("listening on {address}");

    let mut events = Events::with_capacity(1024);
    let mut connections = Connections {
        places: Vec::new(),
        free: Vec::new(),
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok(socket) = accept(&listener) {
                    connections.add(socket, &poll)?;
                }
                continue;
            }
            connections.serve(event.token(), &mut chunk);
        }
    }
}

/// Connections by token. A slot is used again once its connection has ended.
struct Connections<S> {
    places: Vec<Option<Connection<S>>>,
    free: Vec<usize>,
}

impl<S: Source + Read + Write> Connections<S> {
    fn add(&mut self, mut socket: S, poll: &Poll) -> Result<()> {
        let place = self.free.pop().unwrap_or(self.places.len());
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

struct Connection<S> {
    socket: S,
    unsent: Vec<u8>,
}

impl<S: Read + Write> Connection<S> {
    /// Does all work that needs no waiting. Returns `None` once the connection has ended.
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

/// Returns true if the operation has to wait for the socket, or `None` if it failed.
fn waits(error: &io::Error) -> Option<()> {
    (error.kind() == ErrorKind::WouldBlock).then_some(())
}

//! The other end of the guest's connections. The guest sends commands on a connection of
//! their own, one line each, and gets a number back.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use socket2::Socket;

use super::receiver::PeerReceiver;
use crate::support;
use crate::tls::wire::Wire;

/// The longest time until a blocked send or receive notices that it has to give up.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);

/// Listens for the guest's commands and for its connections.
pub(crate) struct Peer {
    /// The port for commands, or the path of the Unix socket.
    pub(crate) commands: String,
    /// The port for connections, or the path of the Unix socket.
    pub(crate) connections: String,
}

/// The settings of TLS for both roles of the peer.
pub(crate) struct TlsConfigs {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// The addresses from which the peer accepts and to which it connects.
struct Endpoint {
    /// The guest's host. Empty with Unix sockets, whose path is in the command.
    host: String,
    connections: Listener,
    tls: Option<TlsConfigs>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection, and the thread that sends on it.
struct Link {
    wire: Arc<Wire>,
    sending: Sender<Send>,
    receiver: PeerReceiver,
    /// Set when the threads have to give up.
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

pub(super) enum Send {
    Bytes(Vec<u8>),
    End,
}

impl Peer {
    /// Serves one guest, on free ports of this host.
    pub(crate) fn start(host: &str, tls: Option<TlsConfigs>) -> Peer {
        let listen = || TcpListener::bind((host, 0)).unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port().to_string();
        let (commands, connections) = (listen(), listen());
        let peer = Peer {
            commands: port(&commands),
            connections: port(&connections),
        };
        peer.serve(
            Listener::Tcp(commands),
            host,
            Listener::Tcp(connections),
            tls,
        )
    }

    /// Serves one guest, on Unix sockets in this folder.
    pub(crate) fn start_in(folder: &Path, tls: Option<TlsConfigs>) -> Peer {
        let path = |name| folder.join(name).to_str().unwrap().to_owned();
        let peer = Peer {
            commands: path("commands"),
            connections: path("connections"),
        };
        let listen = |path: &str| Listener::Unix(UnixListener::bind(path).unwrap());
        let (commands, connections) = (listen(&peer.commands), listen(&peer.connections));
        peer.serve(commands, "", connections, tls)
    }

    fn serve(
        self,
        commands: Listener,
        host: &str,
        connections: Listener,
        tls: Option<TlsConfigs>,
    ) -> Peer {
        let endpoint = Endpoint {
            host: host.to_owned(),
            connections,
            tls,
        };
        thread::spawn(move || obey(&commands.accept(), &endpoint));
        self
    }
}

impl Listener {
    fn accept(&self) -> Socket {
        match self {
            Listener::Tcp(listener) => at_once(listener.accept().unwrap().0),
            Listener::Unix(listener) => unix(listener.accept().unwrap().0),
        }
    }
}

fn at_once(stream: TcpStream) -> Socket {
    stream.set_nodelay(true).unwrap();
    stream.into()
}

fn unix(stream: UnixStream) -> Socket {
    OwnedFd::from(stream).into()
}

/// Executes the guest's commands until the guest closes the connection.
fn obey(socket: &Socket, endpoint: &Endpoint) {
    let mut commands = BufReader::new(socket);
    let mut answers = socket;
    let mut made = 0;
    let mut open: HashMap<u64, Link> = HashMap::new();
    loop {
        let mut line = String::new();
        if !matches!(commands.read_line(&mut line), Ok(1..)) {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let mut bytes = Vec::new();
        let answer = match words[0] {
            "accept" | "connect" => {
                let wire = match words[0] {
                    "accept" => endpoint.accept(),
                    _ => endpoint.connect(words[1]),
                };
                made += 1;
                open.insert(made, Link::attach(wire));
                made
            }
            "send" => {
                let mut bytes = vec![0; number(2) as usize];
                commands.read_exact(&mut bytes).unwrap();
                open[&number(1)].send(Send::Bytes(bytes))
            }
            "finish" => open[&number(1)].send(Send::End),
            "stay" => open[&number(1)].receiver.stay(),
            "receive" => {
                let link = open.get_mut(&number(1)).unwrap();
                bytes = link.receiver.receive(&link.wire, number(2));
                bytes.len() as u64
            }
            "ignore" => {
                open.get_mut(&number(1)).unwrap().receiver.end();
                0
            }
            "reset" => {
                let link = open.remove(&number(1)).unwrap();
                link.has_unread();
                link.end();
                0
            }
            "drop" => {
                if let Some(link) = open.remove(&number(1)) {
                    link.end();
                }
                0
            }
            other => panic!("no such command: {other}"),
        };
        answers.write_all(format!("{answer}\n").as_bytes()).unwrap();
        answers.write_all(&bytes).unwrap();
    }
}

impl Endpoint {
    fn accept(&self) -> Wire {
        let socket = self.connections.accept();
        match &self.tls {
            Some(tls) => Wire::server(socket, tls.server.clone()).unwrap(),
            None => Wire::plain(socket),
        }
    }

    /// Connects to a port of the guest's host, or to a path.
    fn connect(&self, to: &str) -> Wire {
        let socket = match to.parse::<u16>() {
            Ok(port) => at_once(TcpStream::connect((self.host.as_str(), port)).unwrap()),
            Err(_) => unix(UnixStream::connect(to).unwrap()),
        };
        match &self.tls {
            Some(tls) => Wire::client(socket, tls.client.clone(), "localhost").unwrap(),
            None => Wire::plain(socket),
        }
    }
}

impl Link {
    fn attach(wire: Wire) -> Link {
        wire.socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let wire = Arc::new(wire);
        let (sending, queue) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let (out, given_up) = (wire.clone(), over.clone());
        let thread = thread::spawn(move || {
            for send in queue {
                let sent = match send {
                    Send::Bytes(bytes) => write(&out.socket, &out.seal(&bytes), &given_up),
                    Send::End => write(&out.socket, &out.seal_end(), &given_up)
                        .and_then(|()| out.socket.shutdown(Shutdown::Write)),
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        let receiver = match wire.is_session() {
            true => PeerReceiver::ahead(&wire, sending.clone()),
            false => PeerReceiver::Plain,
        };
        Link {
            wire,
            sending,
            receiver,
            over,
            thread,
        }
    }

    /// Waits until there is unread data. The kernel resets a Unix socket only if it is
    /// closed with unread data; TCP does not need it.
    fn has_unread(&self) {
        let socket = &self.wire.socket;
        if socket.local_addr().unwrap().is_unix() {
            socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
            assert_eq!(self.wire.peek().unwrap(), 1, "the data have ended");
        }
    }

    /// Closes the socket, so that the kernel sends a reset where it can.
    fn end(mut self) {
        let linger = Some(Duration::ZERO);
        self.wire.socket.set_linger(linger).unwrap();
        self.over.store(true, Ordering::Relaxed);
        // The threads hold the socket as well.
        self.receiver.end();
        drop(self.sending);
        self.thread.join().unwrap();
    }

    fn send(&self, send: Send) -> u64 {
        // The thread is gone if the connection is lost.
        drop(self.sending.send(send));
        0
    }
}

/// Sends all bytes, unless `given_up` is set.
fn write(mut socket: &Socket, mut bytes: &[u8], given_up: &AtomicBool) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(error) if given_up.load(Ordering::Relaxed) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

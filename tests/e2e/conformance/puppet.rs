//! The far end of connections, worked by the program under test: it sends
//! commands on a connection of its own, one line each, and gets a number back.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use socket2::SockRef;

use super::hearing::Hearing;
use crate::ssl::wire::Wire;

/// How long sending takes to notice that it is to give up.
const PATIENCE: Duration = Duration::from_millis(5);

/// Listens for the program's commands and for its connections.
pub(crate) struct Puppet {
    /// The port for commands.
    pub(crate) commands: u16,
    /// The port for connections.
    pub(crate) connections: u16,
}

/// What puppets need for TLS.
pub(crate) struct Secure {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// Where connections come from and go to.
struct Place {
    host: String,
    connections: TcpListener,
    secure: Option<Secure>,
}

/// A connection, and the thread that sends on it.
struct Strings {
    wire: Arc<Wire>,
    sending: Sender<Send>,
    hearing: Hearing,
    /// The threads are to give up.
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

pub(super) enum Send {
    Bytes(Vec<u8>),
    End,
}

impl Puppet {
    /// Serves one program, on free ports of this host.
    pub(crate) fn start(host: &str, secure: Option<Secure>) -> Puppet {
        let commands = TcpListener::bind((host, 0)).unwrap();
        let connections = TcpListener::bind((host, 0)).unwrap();
        let puppet = Puppet {
            commands: commands.local_addr().unwrap().port(),
            connections: connections.local_addr().unwrap().port(),
        };
        let place = Place {
            host: host.to_owned(),
            connections,
            secure,
        };
        thread::spawn(move || {
            let (socket, _) = commands.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            obey(&socket, &place);
        });
        puppet
    }
}

/// Does as the program says, until it has nothing more to say.
fn obey(socket: &TcpStream, place: &Place) {
    let mut commands = BufReader::new(socket.try_clone().unwrap());
    let mut answers = socket;
    let mut made = 0;
    let mut open: HashMap<u64, Strings> = HashMap::new();
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
                    "accept" => place.accept(),
                    _ => place.connect(number(1) as u16),
                };
                made += 1;
                open.insert(made, Strings::attach(wire));
                made
            }
            "send" => {
                let mut bytes = vec![0; number(2) as usize];
                commands.read_exact(&mut bytes).unwrap();
                open[&number(1)].send(Send::Bytes(bytes))
            }
            "finish" => open[&number(1)].send(Send::End),
            "stay" => open[&number(1)].hearing.stay(),
            "receive" => {
                let strings = open.get_mut(&number(1)).unwrap();
                bytes = strings.hearing.receive(&strings.wire, number(2));
                bytes.len() as u64
            }
            "reset" => {
                open.remove(&number(1)).unwrap().reset();
                0
            }
            "drop" => {
                if let Some(strings) = open.remove(&number(1)) {
                    strings.reset();
                }
                0
            }
            other => panic!("no such command: {other}"),
        };
        answers.write_all(format!("{answer}\n").as_bytes()).unwrap();
        answers.write_all(&bytes).unwrap();
    }
}

impl Place {
    fn accept(&self) -> Wire {
        let (socket, _) = self.connections.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        match &self.secure {
            Some(secure) => Wire::server(socket, secure.server.clone()).unwrap(),
            None => Wire::plain(socket),
        }
    }

    fn connect(&self, port: u16) -> Wire {
        let socket = TcpStream::connect((self.host.as_str(), port)).unwrap();
        socket.set_nodelay(true).unwrap();
        match &self.secure {
            Some(secure) => Wire::client(socket, secure.client.clone(), "localhost").unwrap(),
            None => Wire::plain(socket),
        }
    }
}

impl Strings {
    fn attach(wire: Wire) -> Strings {
        wire.tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        let wire = Arc::new(wire);
        let (sending, queue) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let (out, given_up) = (wire.clone(), over.clone());
        let thread = thread::spawn(move || {
            for send in queue {
                let sent = match send {
                    Send::Bytes(bytes) => write(&out.tcp, &out.seal(&bytes), &given_up),
                    Send::End => write(&out.tcp, &out.seal_end(), &given_up)
                        .and_then(|()| out.tcp.shutdown(Shutdown::Write)),
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        let hearing = match wire.is_session() {
            true => Hearing::ahead(&wire, sending.clone()),
            false => Hearing::Plain,
        };
        Strings {
            wire,
            sending,
            hearing,
            over,
            thread,
        }
    }

    /// Closes the socket so that a reset is sent.
    fn reset(self) {
        let linger = Some(Duration::ZERO);
        SockRef::from(&self.wire.tcp).set_linger(linger).unwrap();
        self.over.store(true, Ordering::Relaxed);
        // The threads have the socket as well.
        self.hearing.end(&self.wire);
        drop(self.sending);
        self.thread.join().unwrap();
    }

    fn send(&self, send: Send) -> u64 {
        // A connection that is lost takes nothing more.
        drop(self.sending.send(send));
        0
    }
}

/// Sends all of it, unless it is given up.
fn write(mut socket: &TcpStream, mut bytes: &[u8], given_up: &AtomicBool) -> io::Result<()> {
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

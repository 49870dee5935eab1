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

use socket2::SockRef;

/// How long sending takes to notice that it is to give up.
const PATIENCE: Duration = Duration::from_millis(5);

/// Listens for the program's commands and for its connections.
pub(crate) struct Puppet {
    /// The port for commands.
    pub(crate) commands: u16,
    /// The port for connections.
    pub(crate) connections: u16,
}

/// A connection, and the thread that sends on it.
struct Strings {
    socket: TcpStream,
    sending: Sender<Send>,
    /// The thread is to give up.
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

enum Send {
    Bytes(Vec<u8>),
    End,
}

impl Puppet {
    /// Serves one program, on free ports of this host.
    pub(crate) fn start(host: &str) -> Puppet {
        let commands = TcpListener::bind((host, 0)).unwrap();
        let connections = TcpListener::bind((host, 0)).unwrap();
        let puppet = Puppet {
            commands: commands.local_addr().unwrap().port(),
            connections: connections.local_addr().unwrap().port(),
        };
        let host = host.to_owned();
        thread::spawn(move || {
            let (socket, _) = commands.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            obey(&socket, &connections, &host);
        });
        puppet
    }
}

/// Does as the program says, until it has nothing more to say.
fn obey(socket: &TcpStream, connections: &TcpListener, host: &str) {
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
                let socket = match words[0] {
                    "accept" => connections.accept().unwrap().0,
                    _ => TcpStream::connect((host, number(1) as u16)).unwrap(),
                };
                made += 1;
                open.insert(made, Strings::attach(socket));
                made
            }
            "send" => {
                let mut bytes = vec![0; number(2) as usize];
                commands.read_exact(&mut bytes).unwrap();
                open[&number(1)].send(Send::Bytes(bytes))
            }
            "finish" => open[&number(1)].send(Send::End),
            "receive" => {
                bytes = open[&number(1)].receive(number(2));
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

impl Strings {
    fn attach(socket: TcpStream) -> Strings {
        socket.set_nodelay(true).unwrap();
        let (sending, queue) = channel();
        let out = socket.try_clone().unwrap();
        out.set_write_timeout(Some(PATIENCE)).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let given_up = over.clone();
        let thread = thread::spawn(move || {
            for send in queue {
                let sent = match send {
                    Send::Bytes(bytes) => write(&out, &bytes, &given_up),
                    Send::End => out.shutdown(Shutdown::Write),
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        Strings {
            socket,
            sending,
            over,
            thread,
        }
    }

    /// Closes the socket so that a reset is sent.
    fn reset(self) {
        let linger = Some(Duration::ZERO);
        SockRef::from(&self.socket).set_linger(linger).unwrap();
        self.over.store(true, Ordering::Relaxed);
        drop(self.sending);
        // It has the socket as well.
        self.thread.join().unwrap();
    }

    fn send(&self, send: Send) -> u64 {
        // A connection that is lost takes nothing more.
        drop(self.sending.send(send));
        0
    }

    /// That many bytes, or what there is until the end.
    fn receive(&self, count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        match (&self.socket).take(count).read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("receive: {error}"),
        }
        bytes
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

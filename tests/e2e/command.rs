//! Checks how the command runs a program: its arguments and streams, its end, its limits,
//! and the forms that it may have.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use crate::support::{self, PATIENCE, Process, run};

mod cache;
mod confined;
mod ends;
mod forms;
mod limits;
mod listen_fds;
mod precompiled;
mod signals;
mod stopping;
mod streams;
mod tasks;
mod time;
mod tls;
mod workers;

/// A listener of the test, which plays the guest's peer.
struct Peer {
    listener: TcpListener,
    address: SocketAddr,
}

impl Peer {
    fn new() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Peer { listener, address }
    }

    /// Returns the rule that allows connecting to it.
    fn rule(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Runs a program with this peer's address and port as arguments, followed by `args`.
    fn visited_by(&self, name: &str, flags: &[&str], args: &[&str]) -> Process {
        let (rule, port) = (self.rule(), self.address.port().to_string());
        let flags = [&["--allow-connect", &rule], flags].concat();
        let args = [&["127.0.0.1", &port], args].concat();
        run(&flags, name, &args)
    }

    fn accept(&self) -> TcpStream {
        let listener = self.listener.try_clone().unwrap();
        let (accepted, connection) = channel();
        thread::spawn(move || accepted.send(listener.accept()));
        let (connection, _) = connection
            .recv_timeout(PATIENCE)
            .expect("nobody connects")
            .unwrap();
        patient(connection)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

fn patient(connection: TcpStream) -> TcpStream {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Reads exactly the expected text.
fn expect(connection: &mut TcpStream, expected: &str) {
    let mut received = vec![0; expected.len()];
    connection.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), expected);
}

/// Sends a line, and expects it back.
fn exchange(connection: &mut TcpStream, line: &str) {
    connection.write_all(line.as_bytes()).unwrap();
    expect(connection, line);
}

/// Reads until the connection is over, by its end or by a reset. Returns false if it
/// stays open.
fn is_over(connection: &mut TcpStream) -> bool {
    match connection.read(&mut [0]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Reads until the connection is over. Returns true if a reset ended it.
fn is_reset(connection: &mut TcpStream) -> bool {
    let ended = connection.read(&mut [0]);
    ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Returns the command without the caller's environment, and with the tests' cache.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .env(support::CACHE, support::cache())
        .args(args);
    command
}

fn run_file(flags: &[&str], path: &Path, args: &[&str]) -> Process {
    let mut command = command(&["run"]);
    command.args(flags).arg(path).args(args);
    Process::start(command)
}

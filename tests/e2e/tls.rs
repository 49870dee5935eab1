//! Checks TLS. The program does what its arguments say, linked and composed. Some peers
//! break the rules of TLS on purpose.

pub(crate) mod wire;

mod client;
mod ends;
mod failures;
mod memories;
mod nested;
mod policy;
mod secrets;
mod server;
mod stalled;
mod start;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::support::authority::Authority;
use crate::support::{Process, run};

const FORMS: [&str; 2] = ["tls", "tls-wit"];

/// Starts the program as a client of `localhost` that trusts this authority.
fn client(authority: &Authority, form: &str, port: u16, words: &[&str]) -> Process {
    client_with(&[authority.roots_flag()], form, port, words)
}

fn client_with(flags: &[String], form: &str, port: u16, words: &[&str]) -> Process {
    let allow = format!("--allow-connect=tcp://localhost:{port}");
    let port = port.to_string();
    let mut all = vec![allow.as_str()];
    all.extend(flags.iter().map(String::as_str));
    run(
        &all,
        form,
        &[&["client", "localhost", &port], words].concat(),
    )
}

/// Starts the program as a server, and returns its address.
fn server(flags: &[String], form: &str, words: &[&str]) -> (Process, SocketAddr) {
    let mut server = server_that_fails(flags, form, words);
    let address = server.listening();
    (server, address)
}

fn server_that_fails(flags: &[String], form: &str, words: &[&str]) -> Process {
    let mut all = vec!["--allow-listen=tcp://127.0.0.1:0"];
    all.extend(flags.iter().map(String::as_str));
    run(&all, form, &[&["server", "127.0.0.1"], words].concat())
}

/// Accepts so many connections, one after the other. Returns the port, and the thread,
/// which collects what `serve` returns.
fn peer<T: Send + 'static>(
    count: usize,
    serve: impl Fn(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = thread::spawn(move || {
        let accepted = (0..count).map(|_| listener.accept().unwrap().0);
        accepted.map(serve).collect()
    });
    (port, served)
}

/// Waits for the end of the program and returns the lines that it has printed.
fn lines(program: Process) -> Vec<String> {
    program.success().lines().map(str::to_owned).collect()
}

//! Checks what operators see and set: the log, metrics, quotas, reloads and dry runs.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Process, run};

mod dry_run;
mod log;
mod metrics;
mod notify;
mod quotas;
mod reload;

/// Starts an echo server with these flags, and returns its address too.
fn echo_server(flags: &[&str]) -> (Process, SocketAddr) {
    let flags = [&["--allow-listen", "tcp://127.0.0.1:0"], flags].concat();
    let mut server = run(&flags, "echo-server", &["127.0.0.1", "0"]);
    let address = server.listening();
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Reads a file again and again, until `found` finds something in its text.
fn wait_for_text<T>(path: &Path, found: impl Fn(&str) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(found) = found(&text) {
            return found;
        }
        assert!(Instant::now() < deadline, "{}: {text}", path.display());
        // The log is written by another thread of the command.
        std::thread::sleep(Duration::from_millis(5));
    }
}

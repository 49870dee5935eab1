//! A running server.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::folder::Folder;
use crate::process::Supervised;

/// The time in which a server has to listen. It includes compiling a component.
const LISTEN_LIMIT: Duration = Duration::from_secs(60);

/// The number of a server's last lines that an error shows.
const KEPT: usize = 5;

type Lines = Arc<Mutex<VecDeque<String>>>;

/// A server that listens. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    _process: Supervised,
    pid: u32,
    address: String,
    took: Duration,
    lines: Lines,
    /// The folder of its Unix socket, which is removed after the process has ended.
    _folder: Option<Folder>,
}

impl Server {
    /// Starts a server, and waits until it prints its address on standard error.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut process = Supervised::start(command)?;
        let lines = Lines::default();
        let (sender, address) = mpsc::channel();
        if let Some(pipe) = process.child().stderr.take() {
            read(pipe, sender, lines.clone());
        }
        let found = address.recv_timeout(LISTEN_LIMIT);
        let (address, at) = found
            .ok()
            .with_context(|| format!("the server did not listen{}", said(&lines)))?;
        Ok(Self {
            pid: process.child().id(),
            _process: process,
            address,
            took: at - started,
            lines,
            _folder: None,
        })
    }

    /// Keeps the folder of its Unix socket until the process has ended.
    pub(crate) fn keeping(self, folder: Option<Folder>) -> Self {
        Self {
            _folder: folder,
            ..self
        }
    }

    /// Returns `IP:PORT` or `unix:/PATH`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the time from the start until it listened.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Returns its last lines, for an error.
    pub(crate) fn said(&self) -> String {
        said(&self.lines)
    }
}

fn read(pipe: impl Read + Send + 'static, sender: Sender<(String, Instant)>, lines: Lines) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Some(address) = listening(&line) {
                // `start` takes the first address only, and then drops the receiver.
                let _ = sender.send((address, Instant::now()));
                continue;
            }
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(line);
            if lines.len() > KEPT {
                lines.pop_front();
            }
        }
    });
}

fn listening(line: &str) -> Option<String> {
    let address = line.strip_prefix("listening on ")?.trim();
    let known = address.starts_with("unix:/") || address.parse::<SocketAddr>().is_ok();
    known.then(|| address.to_owned())
}

fn said(lines: &Lines) -> String {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    format!("; it said: {}", lines.join(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_listens_once_it_says_so() -> Result<()> {
        let script = "echo warming up >&2; echo listening on 127.0.0.1:7 >&2; sleep 60";
        let server = Server::start(Command::new("sh").args(["-c", script]))?;
        assert_eq!(server.address(), "127.0.0.1:7");
        assert_eq!(server.said(), "; it said: warming up");
        Ok(())
    }

    #[test]
    fn addresses_are_known_when_they_are_seen() {
        let heard = |line| listening(line).unwrap_or_default();
        assert_eq!(heard("listening on [::1]:7"), "[::1]:7");
        assert_eq!(heard("listening on unix:/run/s"), "unix:/run/s");
        for line in [
            "listening on everybody",
            "unix:/run/s",
            "listening on unix:",
        ] {
            assert_eq!(listening(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_words_of_one_that_ends_are_in_the_error() {
        let script = "echo no such file >&2";
        let failed = Server::start(Command::new("sh").args(["-c", script]));
        let error = failed.map(drop).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("the server did not listen; it said: no such file".to_owned())
        );
    }
}

//! Checks Unix sockets: what is granted and what is not, what happens to the files, and
//! peers written by others.

mod denials;
mod files;
mod names;
mod peers;
mod permission;
mod redis;
mod workers;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Ended, PATIENCE, Process, run};

const FORMS: [&str; 2] = ["unix", "unix-wit"];

/// A temporary folder for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the path as text.
    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Returns the flag that grants connecting to this path.
fn connecting(path: &str) -> String {
    format!("--allow-connect=unix://{path}")
}

/// Returns the flag that grants listening at this path.
fn listening(path: &str) -> String {
    format!("--allow-listen=unix://{path}")
}

/// Starts the program as a server at this path, and waits until it serves.
fn serving(form: &str, path: &str, more: &[&str]) -> Process {
    serving_with(&[&listening(path)], form, path, more)
}

fn serving_with(flags: &[&str], form: &str, path: &str, more: &[&str]) -> Process {
    let args = [&["serve", path], more].concat();
    let mut server = run(flags, form, &args);
    server.wait_for(&format!("listening on unix:{path}"));
    server
}

/// Connects with a limit on the time that reads may take.
fn client(path: impl AsRef<Path>) -> UnixStream {
    let client = UnixStream::connect(path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Sends a line, and expects it back.
fn exchange(client: &mut UnixStream, line: &str) {
    assert_eq!(ask(client, line), line);
}

/// Sends a line, and reads one.
fn ask(client: &mut UnixStream, line: &str) -> String {
    client.write_all(line.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        answer.extend_from_slice(&byte);
    }
    String::from_utf8(answer).unwrap()
}

/// Leaves a socket file behind as a killed listener does.
fn left_behind(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

/// Checks that the program failed with this message and that nothing else was printed.
fn fails(ended: &Ended, message: &str) {
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(1), "", format!("error: {message}\n").as_str())
    );
}

//! The program under test. It does to a connection what its control connection asks for:
//! CPython's `driver.py`, or our guests `driver` and `driver-wit`.
//!
//! A request is a line, and its answer another one:
//!
//! | request | answer |
//! |---|---|
//! | `connect PORT LIMIT` | `ok`, when the connection to that port is made |
//! | `listen LIMIT` | the port |
//! | `accept` | `ok`, when a connection to that port has come |
//! | `step NAME TOTAL FLAGS CALL [& CALL]...` | outcomes and state, separated by tabs |
//! | `leave` | `ok`, when the connection is gone |
//!
//! The calls of a step are made without a turn of the loop between them; NAME is the
//! number of the first one. TOTAL is the number of bytes that the peer has sent. FLAGS
//! say what else the peer has done: `f` it has ended its data, `r` it has reset the
//! connection, `s` it receives nothing. The driver answers once the step has taken full
//! effect: the bytes are in the reader or flow control holds them back, the end or the
//! failure is noticed, written bytes are gone as far as the peer takes them, and every
//! call that can end has ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Longer than a driver waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    CPython,
    Static,
    Composed,
}

pub(crate) struct Subject {
    pub(crate) kind: Kind,
    process: Child,
    control: BufReader<TcpStream>,
    /// The port where the peer waits for the subject.
    pub(crate) listener: TcpListener,
}

impl Subject {
    pub(crate) fn start(kind: Kind) -> Subject {
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let mut command = match kind {
            Kind::CPython => cpython(),
            Kind::Static => ours("driver", port(&control), port(&listener)),
            Kind::Composed => ours("driver-wit", port(&control), port(&listener)),
        };
        let mut process = command
            .arg(port(&control).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::inherit())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        pass_on(process.stderr.take().unwrap());
        let control = control.accept().unwrap().0;
        control.set_nodelay(true).unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        Subject {
            kind,
            process,
            control: BufReader::new(control),
            listener,
        }
    }

    pub(crate) fn ask(&mut self, request: &str) -> String {
        let socket = self.control.get_mut();
        socket.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.control.read_line(&mut answer).unwrap();
        assert!(
            answer.ends_with('\n'),
            "{:?} has ended after {request}",
            self.kind
        );
        answer.trim_end_matches('\n').to_owned()
    }

    /// Sends a request that has one good answer.
    pub(crate) fn demand(&mut self, request: &str) {
        assert_eq!(self.ask(request), "ok", "{:?}: {request}", self.kind);
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn cpython() -> Command {
    let mut command = Command::new("python3");
    command.arg("-c").arg(include_str!("driver.py"));
    command
}

fn ours(name: &str, control: u16, listener: u16) -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let component = workspace.join(format!("target/components/{name}.wasm"));
    assert!(
        component.is_file(),
        "{} is missing: run `cargo xtask setup` first",
        component.display()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .env("ASYNCIO_STREAMS_CACHE", workspace.join("target/cache"))
        .arg("run")
        .args(["--allow-connect", &format!("tcp://127.0.0.1:{control}")])
        .args(["--allow-connect", &format!("tcp://127.0.0.1:{listener}")])
        .args(["--allow-listen", "tcp://127.0.0.1:0"])
        .arg(component);
    command
}

/// Passes the program's standard error on to the user of the test.
fn pass_on(from: impl Read + Send + 'static) {
    thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        for line in lines.filter(|line| !line.starts_with("listening on ")) {
            eprintln!("{line}");
        }
    });
}

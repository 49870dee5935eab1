//! `cargo xtask echo`: runs the echo server and the echo client as components.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::guests::{self, Programs};
use crate::process::{Supervised, as_typed, cargo};
use crate::progress::Step;
use crate::setup;
use crate::workspace::{NATIVE, Workspace};

/// The examples that are run.
const SERVER: &str = "tcp-echo-server";
const CLIENT: &str = "tcp-echo-client";

/// The longest message, in bytes. The programs from asyncio's page, which the
/// examples follow, read at most this much.
const LONGEST: usize = 100;

// Each limit includes the time to compile a component for this machine.
const LISTEN_LIMIT: Duration = Duration::from_secs(120);
const CLIENT_LIMIT: Duration = Duration::from_secs(120);

/// The time in which the server has to print its last line after the client ended.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// The last line that each side prints.
const LAST_LINE: &str = "Close the connection";

/// The form of the components to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Written against the WIT, composed with the streams component.
    Wit,
    /// Linking the crate.
    Static,
}

impl Form {
    /// Reads the name of a form.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "wit" => Ok(Self::Wit),
            "static" => Ok(Self::Static),
            _ => bail!("there is no form `{name}`: use wit or static"),
        }
    }

    /// The name of the example `program` in this form.
    fn example(self, program: &str) -> String {
        match self {
            Self::Wit => format!("{program}-wit"),
            Self::Static => program.to_owned(),
        }
    }
}

/// Builds the components and the command, and runs server and client. Fails unless
/// the message comes back.
pub(crate) fn run(workspace: &Workspace, message: &str, form: Form) -> Result<()> {
    ensure!(
        !message.is_empty() && message.len() <= LONGEST,
        "the message has {} bytes, and the echo programs read 1 to {LONGEST}",
        message.len()
    );
    let toolchain = setup::choose(workspace, None)?;
    let examples = [SERVER, CLIENT].map(|program| form.example(program));
    guests::build(workspace, &toolchain, Programs::Examples(&examples))?;
    demonstrate(workspace, message, form)
}

/// Builds the command and runs server and client. The components exist already.
pub(crate) fn demonstrate(workspace: &Workspace, message: &str, form: Form) -> Result<()> {
    let host = host_command(workspace)?;
    let commands = Commands {
        root: workspace.root(),
        host,
        server: component(workspace, form, SERVER)?,
        client: component(workspace, form, CLIENT)?,
    };
    converse(&commands, message)?;
    println!("\nThe message came back. Server and client ran as WebAssembly components,");
    println!("each with no more than the one permission in its command above.");
    Ok(())
}

/// Builds the command `asyncio-streams` and returns its path.
pub(crate) fn host_command(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = cargo();
    command
        .arg("build")
        .args(NATIVE)
        .args(["--bin", "asyncio-streams"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace.root());
    let heading = "building the command asyncio-streams (wasmtime takes minutes the first time)";
    let messages = Step::new(heading).capture(&mut command)?;
    executable(&messages).context("cargo built no asyncio-streams")
}

/// Returns the last executable that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter_map(|message: Value| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
}

/// Returns the path of a program's component, relative to the repository's root.
fn component(workspace: &Workspace, form: Form, program: &str) -> Result<String> {
    let name = format!("{}.wasm", form.example(program));
    let path = workspace.components().join(name);
    ensure!(
        path.is_file(),
        "there is no {}: is the example still in Cargo.toml?",
        path.display()
    );
    Ok(workspace.relative(&path).to_string_lossy().into_owned())
}

/// The commands of both sides. The paths of components are relative to `root`.
struct Commands<'a> {
    root: &'a Path,
    host: PathBuf,
    server: String,
    client: String,
}

impl Commands<'_> {
    fn server(&self) -> Vec<String> {
        let listen = ["run", "--allow-listen", "tcp://127.0.0.1:0"].map(str::to_owned);
        let own = ["127.0.0.1", "0"].map(str::to_owned);
        [&listen[..], std::slice::from_ref(&self.server), &own].concat()
    }

    fn client(&self, server: SocketAddr, message: &str) -> Vec<String> {
        let connect = ["run", "--allow-connect", &format!("tcp://{server}")].map(str::to_owned);
        let (address, port) = (server.ip().to_string(), server.port().to_string());
        let own = [address, port, message.to_owned()];
        [&connect[..], std::slice::from_ref(&self.client), &own].concat()
    }

    /// Prints the command line of one side and starts it. Sends its output as events.
    fn start(
        &self,
        side: &'static str,
        args: &[String],
        events: &Sender<Event>,
    ) -> Result<Supervised> {
        let typed = self.host.strip_prefix(self.root).unwrap_or(&self.host);
        println!("\n$ {}", as_typed(Command::new(typed).args(args)));
        let mut command = Command::new(&self.host);
        command
            .args(args)
            .current_dir(self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Supervised::start(&mut command)?;
        if let Some(pipe) = process.child().stdout.take() {
            read_lines(side, false, pipe, events.clone());
        }
        if let Some(pipe) = process.child().stderr.take() {
            read_lines(side, true, pipe, events.clone());
        }
        Ok(process)
    }
}

fn converse(commands: &Commands<'_>, message: &str) -> Result<()> {
    let (events, mut transcript) = Transcript::new();
    let mut server = commands.start("server", &commands.server(), &events)?;
    let address = transcript
        .wait_for("server", LISTEN_LIMIT, Line::listening)
        .context("the server did not print `listening on ADDR`")?;

    let mut client = commands.start("client", &commands.client(address, message), &events)?;
    drop(events);
    let printed = transcript.wait_for("client", CLIENT_LIMIT, |_| None::<()>);
    let status = client.wait_until(Instant::now() + CLOSE_LIMIT)?;
    drop(client);
    if status.is_some_and(|status| status.success()) {
        let last = |line: &Line| line.text.starts_with(LAST_LINE).then_some(());
        // Wait so that the transcript is complete. A server that prints less has not
        // failed.
        let _ = transcript.wait_for("server", CLOSE_LIMIT, last);
    }
    server.interrupt()?;
    drop(server);
    transcript.finish();

    let Some(status) = status else {
        bail!(
            "the client did not end: {}",
            printed.map_or_else(|error| error.to_string(), |()| String::new())
        );
    };
    ensure!(status.success(), "the client failed ({status})");
    ensure!(
        transcript
            .printed_by("client")
            .contains(&format!("Received: '{message}'")),
        "the client printed no `Received: '{message}'`"
    );
    Ok(())
}

fn read_lines(
    side: &'static str,
    stderr: bool,
    pipe: impl Read + Send + 'static,
    events: Sender<Event>,
) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut bytes), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            if events
                .send(Event::Line(Line { side, stderr, text }))
                .is_err()
            {
                return;
            }
            bytes.clear();
        }
        // The receiver is gone once both sides have ended.
        let _ = events.send(Event::PipeEnded(side));
    });
}

/// An event on a side's pipes.
#[derive(Debug)]
enum Event {
    Line(Line),
    /// One of this side's two pipes is at its end.
    PipeEnded(&'static str),
}

/// A line of output.
#[derive(Debug)]
struct Line {
    side: &'static str,
    stderr: bool,
    text: String,
}

impl Line {
    /// Returns the address if this is the host's line `listening on ADDR`.
    fn listening(&self) -> Option<SocketAddr> {
        let (_, address) = self.text.split_once("listening on ")?;
        let address = address.split_whitespace().next()?;
        self.stderr.then(|| address.parse().ok())?
    }
}

/// The lines of both sides, each printed as soon as it arrives.
struct Transcript {
    incoming: Receiver<Event>,
    seen: Vec<Line>,
    /// The side of each pipe that has ended: each side has two.
    ended: Vec<&'static str>,
}

impl Transcript {
    fn new() -> (Sender<Event>, Self) {
        let (sender, incoming) = mpsc::channel();
        let transcript = Self {
            incoming,
            seen: Vec::new(),
            ended: Vec::new(),
        };
        (sender, transcript)
    }

    /// Prints lines until `wanted` returns a value for a line of `side`, and returns
    /// that value. Lines that arrived earlier count. Fails once the side has ended or
    /// the time is up.
    fn wait_for<T>(
        &mut self,
        side: &str,
        limit: Duration,
        wanted: impl Fn(&Line) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut looked_at = 0;
        loop {
            let new = self
                .seen
                .iter()
                .skip(looked_at)
                .filter(|line| line.side == side);
            if let Some(found) = new.filter_map(&wanted).next() {
                return Ok(found);
            }
            looked_at = self.seen.len();
            if self.ended.iter().filter(|ended| **ended == side).count() == 2 {
                bail!("it ended first");
            }
            match self
                .incoming
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => bail!("waited {limit:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("both sides ended first"),
            }
        }
    }

    /// Prints the remaining lines, after both sides have ended.
    fn finish(&mut self) {
        while let Ok(event) = self.incoming.recv_timeout(CLOSE_LIMIT) {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Line(line) => {
                println!("{} | {}", line.side, line.text);
                self.seen.push(line);
            }
            Event::PipeEnded(side) => self.ended.push(side),
        }
    }

    /// Returns the standard output of one side.
    fn printed_by(&self, side: &str) -> String {
        let lines = self
            .seen
            .iter()
            .filter(|line| line.side == side && !line.stderr);
        lines.map(|line| format!("{}\n", line.text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(side: &'static str, stderr: bool, text: &str) -> Line {
        let text = text.to_owned();
        Line { side, stderr, text }
    }

    #[test]
    fn an_address_is_read_from_standard_error_only() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4242));
        let text = "listening on 127.0.0.1:4242";
        assert_eq!(line("server", true, text).listening(), Some(address));
        assert_eq!(line("server", false, text).listening(), None);
        assert_eq!(line("server", true, "listening on tcp").listening(), None);
    }

    #[test]
    fn a_transcript_keeps_the_sides_apart() -> Result<()> {
        let (events, mut transcript) = Transcript::new();
        for (side, text) in [
            ("client", "Send: 'a"),
            ("server", "Received 'a"),
            ("client", "b'"),
        ] {
            events.send(Event::Line(line(side, false, text)))?;
        }
        drop(events);
        transcript.finish();
        assert_eq!(transcript.printed_by("client"), "Send: 'a\nb'\n");
        Ok(())
    }

    #[test]
    fn a_side_that_ends_early_is_not_waited_for() -> Result<()> {
        let (events, mut transcript) = Transcript::new();
        events.send(Event::Line(line(
            "client",
            true,
            "listening on 127.0.0.1:1",
        )))?;
        events.send(Event::PipeEnded("server"))?;
        events.send(Event::PipeEnded("server"))?;
        let found = transcript.wait_for("server", Duration::from_secs(60), Line::listening);
        assert!(found.is_err_and(|error| error.to_string().contains("ended")));
        Ok(())
    }

    #[test]
    fn a_line_seen_earlier_is_found() -> Result<()> {
        let (events, mut transcript) = Transcript::new();
        events.send(Event::Line(line(
            "server",
            true,
            "listening on 127.0.0.1:1",
        )))?;
        for _ in 0..2 {
            transcript.wait_for("server", Duration::ZERO, Line::listening)?;
        }
        Ok(())
    }

    #[test]
    fn the_host_command_is_the_executable_cargo_names() {
        let messages = "{\"executable\":null}\n{\"executable\":\"/t/host\"}\n{\"success\":true}";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/host")));
    }
}

//! Runs the command and its peers, and waits for what they print.

pub(crate) mod authority;
pub(crate) mod hostile;
pub(crate) mod listening;
pub(crate) mod ports;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Longer than anything takes. A test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Returns the path of a component that `cargo xtask setup` has built.
pub(crate) fn component(name: &str) -> PathBuf {
    let path = workspace()
        .join("target/components")
        .join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask setup` first",
        path.display()
    );
    path
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The variable that names the folder in which the command keeps compiled programs.
pub(crate) const CACHE: &str = "ASYNCIO_STREAMS_CACHE";

/// The tests' own folder for compiled programs, so that the user's stays as it is.
/// [`Process::start`] sets it for everything that it starts.
pub(crate) fn cache() -> PathBuf {
    workspace().join("target/cache")
}

/// Starts `asyncio-streams run` with these flags, this component and these arguments.
pub(crate) fn run(flags: &[&str], name: &str, args: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .arg("run")
        .args(flags)
        .arg(component(name))
        .args(args);
    Process::start(command)
}

/// Starts it as a service manager does, with one or two listening sockets and these of
/// the variables that describe them. LISTEN_PID is the command's own process. With two
/// sockets, standard output goes to standard error.
pub(crate) fn run_activated(
    sockets: Vec<OwnedFd>,
    variables: &[(&str, &str)],
    flags: &[&str],
    name: &str,
    args: &[&str],
) -> Process {
    let mut sockets = sockets.into_iter().map(Stdio::from);
    let (stdin, stdout) = (sockets.next().unwrap(), sockets.next());
    assert!(sockets.next().is_none(), "more than two sockets");
    let places = match stdout {
        Some(_) => "3<&0 4<&1 >&2 </dev/null",
        None => "3<&0 </dev/null",
    };
    let script = format!("exec {places}; LISTEN_PID=$$ exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .envs(variables.iter().copied())
        .args(["-c", &script, env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .args(flags)
        .arg(component(name))
        .args(args);
    Process::start_with(command, stdin, stdout.unwrap_or_else(Stdio::piped))
}

/// Runs it in a network namespace that `script` prepares, if this machine can make one.
pub(crate) fn run_apart(script: &str, flags: &[&str], name: &str, args: &[&str]) -> Option<Ended> {
    let script = format!("ip link set lo up && {script} || exit 77; exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--net", "bash", "-c", &script])
        .arg(env!("CARGO_BIN_EXE_asyncio-streams"))
        .arg("run")
        .args(flags)
        .arg(component(name))
        .args(args);
    let ended = Process::start(command).end();
    let refused = ended.code == Some(77) || ended.stderr.starts_with("unshare:");
    if refused {
        eprintln!("not checked: no network namespaces here: {}", ended.stderr);
    }
    (!refused).then_some(ended)
}

/// Starts CPython with this program.
pub(crate) fn python(program: &str, args: &[&str]) -> Process {
    let mut command = Command::new("python3");
    command.arg("-u").arg("-c").arg(program).args(args);
    Process::start(command)
}

/// A running program whose lines are collected. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<Line>,
    /// Lines that arrived and that no call has returned yet.
    unseen: VecDeque<String>,
    stdout: String,
    stderr: String,
}

enum Line {
    Stdout(String),
    Stderr(String),
}

/// The output of a program that has ended, and its exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn start(command: Command) -> Process {
        Process::start_with(command, Stdio::null(), Stdio::piped())
    }

    pub(crate) fn start_with(mut command: Command, stdin: Stdio, stdout: Stdio) -> Process {
        if !command.get_envs().any(|(name, _)| name == CACHE) {
            command.env(CACHE, cache());
        }
        let mut child = command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, sender.clone(), Line::Stdout);
        }
        collect(child.stderr.take().unwrap(), sender, Line::Stderr);
        Process {
            child,
            lines,
            unseen: VecDeque::new(),
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Limits the file descriptors of the running process. A limit from the start would not
    /// do: the command then bounds the program's sockets, so that descriptors do not run out.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let pid = Pid::from_raw(self.id().try_into().unwrap());
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(pid, Resource::Nofile, limit).unwrap();
    }

    /// Waits for a line of standard output or error that starts with this, and returns
    /// the rest of it. Each line is found once. Other lines are kept, because the two
    /// streams arrive in any order.
    pub(crate) fn wait_for(&mut self, start: &str) -> String {
        let line = self.wait_for_line(start, |line| line.starts_with(start));
        line[start.len()..].trim_end().to_owned()
    }

    /// Looks for a line that starts with this among those that have arrived by now. Each
    /// line is found once.
    pub(crate) fn has_printed(&mut self, start: &str) -> bool {
        while let Ok(line) = self.lines.try_recv() {
            let line = self.keep(line);
            self.unseen.push_back(line);
        }
        let found = self.unseen.iter().position(|line| line.starts_with(start));
        found.and_then(|at| self.unseen.remove(at)).is_some()
    }

    /// Waits for a line that contains this, as the lines of the host's log do.
    pub(crate) fn wait_for_part(&mut self, part: &str) -> String {
        self.wait_for_line(part, |line| line.contains(part))
    }

    fn wait_for_line(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.unseen.iter().position(|line| is_it(line));
            if let Some(line) = found.and_then(|at| self.unseen.remove(at)) {
                return line;
            }
            match self.lines.recv_timeout(deadline - Instant::now()) {
                Ok(line) => {
                    let line = self.keep(line);
                    self.unseen.push_back(line);
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what:?} in time: {self:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {what:?}: {self:?}"),
            }
        }
    }

    /// Waits for the next line `listening on ADDR` and returns the address.
    pub(crate) fn listening(&mut self) -> SocketAddr {
        self.wait_for("listening on ").parse().unwrap()
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the program.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline - Instant::now()) {
                Ok(line) => drop(self.keep(line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end in time: {self:?}"),
            }
        }
        let code = self.child.wait().unwrap().code();
        Ended {
            code,
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        }
    }

    /// Waits for the end of the program, which has to be a success, and returns its
    /// standard output.
    pub(crate) fn success(self) -> String {
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    }

    fn keep(&mut self, line: Line) -> String {
        let (text, kept) = match line {
            Line::Stdout(text) => (text, &mut self.stdout),
            Line::Stderr(text) => (text, &mut self.stderr),
        };
        kept.push_str(&text);
        text
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(from: impl Read + Send + 'static, to: Sender<Line>, kind: fn(String) -> Line) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        loop {
            let mut line = Vec::new();
            match from.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    if to.send(kind(text)).is_err() {
                        return;
                    }
                }
            }
        }
    });
}

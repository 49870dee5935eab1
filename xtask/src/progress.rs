//! Long steps say what they are doing.
//!
//! On a terminal cargo draws its own progress bar. Elsewhere (a log, CI) cargo
//! draws the bar into a pipe. A heartbeat every 15 seconds shows from there how many
//! crates are built, how many there are, and which ones are being built. Cargo's
//! status lines are not shown.

use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::as_typed;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// The width of cargo's bar in a pipe, in columns: room for about ten names.
const BAR_WIDTH: &str = "200";

/// The use of a command's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stdout {
    /// Returned to the caller.
    Captured,
    /// Shown as it comes.
    Shown,
    /// Only the last line is of interest, as a sign of life.
    Status,
}

/// One step: a heading, a command, the time it took.
#[derive(Debug)]
pub(crate) struct Step {
    heading: String,
    limit: Option<Duration>,
    remedy: Option<&'static str>,
    started: Instant,
}

impl Step {
    /// Announces the step.
    pub(crate) fn new(heading: impl Into<String>) -> Self {
        let heading = heading.into();
        eprintln!("==> {heading}");
        Self {
            heading,
            limit: None,
            remedy: None,
            started: Instant::now(),
        }
    }

    /// Ends the command, as a failure, after this long.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Advice for the case that the step fails, added to its error.
    pub(crate) fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Runs the command and shows what it prints.
    pub(crate) fn run(self, command: &mut Command) -> Result<()> {
        self.execute(command, Stdout::Shown).map(drop)
    }

    /// Runs the command, whose standard output is only a sign of life.
    pub(crate) fn run_quietly(self, command: &mut Command) -> Result<()> {
        self.execute(command, Stdout::Status).map(drop)
    }

    /// Runs the command and returns what it printed on standard output.
    pub(crate) fn capture(self, command: &mut Command) -> Result<String> {
        self.execute(command, Stdout::Captured)
    }

    fn execute(self, command: &mut Command, stdout: Stdout) -> Result<String> {
        let terminal = std::io::stderr().is_terminal();
        let stderr = if terminal {
            Stdio::inherit()
        } else {
            // Without a terminal, cargo draws its bar only when it is told to.
            command
                .env("CARGO_TERM_PROGRESS_WHEN", "always")
                .env("CARGO_TERM_PROGRESS_WIDTH", BAR_WIDTH);
            Stdio::piped()
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("cannot run {}", as_typed(command)))?;
        let text = self.follow(&mut child, stdout, !terminal);
        if text.is_err() {
            // Out of time: end it; an error means that it has just ended.
            let _ = child.kill();
        }
        let status = child.wait()?;
        let text = text?;
        if !status.success() {
            let remedy = self
                .remedy
                .map(|remedy| format!("\n{remedy}"))
                .unwrap_or_default();
            bail!(
                "{}: `{}` failed ({status}){remedy}",
                self.heading,
                as_typed(command)
            );
        }
        let elapsed = self.started.elapsed();
        if elapsed >= Duration::from_secs(1) {
            eprintln!("    done in {}", seconds(elapsed));
        }
        Ok(text)
    }

    /// Reads until both pipes end, with a heartbeat where cargo draws no bar.
    fn follow(&self, child: &mut Child, stdout: Stdout, heartbeat: bool) -> Result<String> {
        let (sender, lines) = mpsc::channel();
        if let Some(pipe) = child.stdout.take() {
            forward(pipe, true, sender.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            forward(pipe, false, sender.clone());
        }
        drop(sender);
        let mut text = String::new();
        let mut activity = Activity::default();
        let mut next_beat = self.started + HEARTBEAT;
        loop {
            let deadline = self.limit.map(|limit| self.started + limit);
            let wake = deadline.map_or(next_beat, |deadline| deadline.min(next_beat));
            match lines.recv_timeout(wake.saturating_duration_since(Instant::now())) {
                Ok((true, line)) => match stdout {
                    Stdout::Captured => text.push_str(&line),
                    Stdout::Shown => print!("{line}"),
                    Stdout::Status => activity.note(&line),
                },
                Ok((false, line)) => {
                    if let Some(bar) = Bar::parse(&line) {
                        activity.bar = Some(bar);
                    } else if is_status(&line) {
                        activity.note(&line);
                    } else {
                        eprint!("{line}");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    std::io::stdout().flush()?;
                    return Ok(text);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if let Some(limit) = self.limit.filter(|limit| now >= self.started + *limit) {
                bail!("{}: not finished after {}", self.heading, seconds(limit));
            }
            if now >= next_beat {
                next_beat += HEARTBEAT;
                if heartbeat {
                    eprintln!("    {}: {activity}", seconds(self.started.elapsed()));
                }
            }
        }
    }
}

/// The latest news of a command.
#[derive(Debug, Default)]
struct Activity {
    /// Cargo's progress bar.
    bar: Option<Bar>,
    /// The last status line.
    last: String,
}

impl Activity {
    fn note(&mut self, line: &str) {
        let line = line.trim();
        if !line.is_empty() {
            line.clone_into(&mut self.last);
        }
    }
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.bar, self.last.as_str()) {
            (Some(bar), _) => write!(f, "{bar}"),
            (None, "") => write!(f, "working"),
            (None, last) => write!(f, "{last}"),
        }
    }
}

/// The text of cargo's progress bar.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    /// How many units of work are done, such as crates and build scripts.
    done: usize,
    /// How many there are.
    total: usize,
    /// The names of those being built now.
    current: String,
}

impl Bar {
    /// Reads `Building [==>  ] 12/345: serde, wasmtime(build)`.
    fn parse(line: &str) -> Option<Self> {
        let (_, bar) = line
            .trim_start()
            .strip_prefix("Building [")?
            .split_once("] ")?;
        let (numbers, current) = bar.split_once(':').unwrap_or((bar, ""));
        let (done, total) = numbers.trim().split_once('/')?;
        Some(Self {
            done: done.parse().ok()?,
            total: total.parse().ok()?,
            current: current.trim().to_owned(),
        })
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} built", self.done, self.total)?;
        match self.current.as_str() {
            "" => Ok(()),
            current => write!(f, ", now {current}"),
        }
    }
}

/// Sends each line with its end, which is a line feed, or a carriage return after
/// cargo's bar. Replaces bytes that are not UTF-8.
fn forward(pipe: impl Read + Send + 'static, stdout: bool, lines: Sender<(bool, String)>) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(read_line(&mut pipe, &mut line), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send((stdout, text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Reads up to and with the next line feed or carriage return; returns how much.
fn read_line(pipe: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    loop {
        let buffer = pipe.fill_buf()?;
        let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let taken = end.map_or(buffer.len(), |end| end + 1);
        line.extend(buffer.iter().take(taken));
        pipe.consume(taken);
        if taken == 0 || end.is_some() {
            return Ok(line.len());
        }
    }
}

/// Returns true if this is one of cargo's (or rustup's) status lines, not a diagnostic.
fn is_status(line: &str) -> bool {
    const VERBS: [&str; 19] = [
        "Adding",
        "Blocking",
        "Checking",
        "Compiling",
        "Documenting",
        "Downgrading",
        "Downloaded",
        "Downloading",
        "Dirty",
        "Executable",
        "Finished",
        "Fresh",
        "Generated",
        "Locking",
        "Removed",
        "Removing",
        "Replacing",
        "Running",
        "Updating",
    ];
    let verb = line.trim_start().split(' ').next().unwrap_or_default();
    (line.starts_with(' ') && VERBS.contains(&verb)) || line.starts_with("info: ")
}

/// `12.3 s`, or whole seconds from a minute on.
pub(crate) fn seconds(time: Duration) -> String {
    if time >= Duration::from_secs(60) {
        format!("{} s", time.as_secs())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_status_lines_are_told_from_its_diagnostics() {
        assert!(is_status("   Compiling wasmtime v48.0.8\n"));
        assert!(is_status(
            "    Blocking waiting for file lock on build directory\n"
        ));
        assert!(is_status("info: downloading component rust-std\n"));
        assert!(!is_status("warning: unused variable: `x`\n"));
        assert!(!is_status("  --> src/lib.rs:1:1\n"));
        assert!(!is_status("Compiling is mentioned here\n"));
    }

    #[test]
    fn a_heartbeat_shows_the_bar_or_else_the_last_line() {
        let mut activity = Activity::default();
        assert_eq!(activity.to_string(), "working");
        activity.note("    Updating index\n");
        activity.note("\n");
        assert_eq!(activity.to_string(), "Updating index");
        activity.bar = Bar::parse("    Building [==> ] 12/345: a(build.rs), b-c    \r");
        assert_eq!(
            activity.to_string(),
            "12 of 345 built, now a(build.rs), b-c"
        );
    }

    #[test]
    fn only_cargos_bar_is_read_as_one() {
        let bar = Bar::parse("    Building [=>] 7/7: \r");
        assert_eq!(
            bar.map(|bar| bar.to_string()).as_deref(),
            Some("7 of 7 built")
        );
        assert_eq!(Bar::parse("   Compiling wasmtime v48.0.8\n"), None);
        assert_eq!(Bar::parse("note: Building [=>] 1/2: a\n"), None);
        assert_eq!(Bar::parse("    Building [=>] a/2: b\r"), None);
    }

    #[test]
    fn a_bar_is_a_line_of_its_own() -> Result<()> {
        let (sender, lines) = mpsc::channel();
        forward(&b"bar 1\rbar 2\r  status\nlast"[..], false, sender);
        let lines: Vec<_> = lines.iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["bar 1\r", "bar 2\r", "  status\n", "last"]);
        Ok(())
    }

    #[test]
    fn captured_output_comes_back_whole() -> Result<()> {
        let mut command = Command::new("rustc");
        let text = Step::new("the compiler's version").capture(command.arg("--version"))?;
        assert!(
            text.starts_with("rustc ") && text.ends_with('\n'),
            "{text:?}"
        );
        Ok(())
    }

    #[test]
    #[cfg(unix)]
    fn a_step_without_an_end_is_ended() {
        let step = Step::new("sleeping").limit(Duration::from_millis(50));
        let error = step.run(Command::new("sleep").arg("60"));
        assert!(error.is_err_and(|error| error.to_string().contains("not finished")));
    }
}

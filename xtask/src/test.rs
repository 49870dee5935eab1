//! `cargo xtask test`: all checks of continuous integration, in order.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::num::NonZeroUsize;
use std::process::{Command, ExitCode, Stdio};
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::conformance::{self, Results};
use crate::debian::{Tool, ensure_debian_packages};
use crate::echo::{self, Form};
use crate::process::{cargo, output_of};
use crate::progress::{Step, seconds};
use crate::python;
use crate::setup;
use crate::toolchain::{TARGET, Toolchain, WASIP2, has_target};
use crate::workspace::{NATIVE, Workspace};

/// The programs that tests talk to.
const TOOLS: [Tool; 7] = [
    Tool {
        command: "python3",
        package: "python3",
    },
    Tool {
        command: "nginx",
        package: "nginx",
    },
    Tool {
        command: "openssl",
        package: "openssl",
    },
    Tool {
        command: "curl",
        package: "curl",
    },
    Tool {
        command: "ss",
        package: "iproute2",
    },
    Tool {
        command: "redis-server",
        package: "redis-server",
    },
    Tool {
        command: "socat",
        package: "socat",
    },
];

/// The variable that says how many tests run at a time. Most of them wait for other
/// processes, so there are two for each core.
const THREADS: &str = "RUST_TEST_THREADS";

/// Runs all checks; the tests come last, and the page about them.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let started = Instant::now();
    let toolchain = setup::run(workspace, None)?;
    ensure_tools()?;
    python::build_all(workspace)?;
    let checks = Checks {
        workspace,
        toolchain,
    };
    checks.format()?;
    checks.lint_native()?;
    checks.lint_guests()?;
    checks.document()?;
    checks.check_wasip2()?;
    // The tests start this command. Built with this selection of packages, it shares
    // wasmtime with them.
    echo::demonstrate(workspace, "Hello World!", Form::Wit)?;
    checks.build_tests()?;
    eprintln!(
        "==> running the tests (after {})",
        seconds(started.elapsed())
    );
    let (code, results) = checks.test(args)?;
    // With a filter, most tests have not run.
    let results = args.is_empty().then_some(&results);
    let conforms = conformance::run(workspace, results);
    match code {
        0 => conforms.map(|()| ExitCode::SUCCESS),
        code => Ok(code.into()),
    }
}

fn ensure_tools() -> Result<()> {
    ensure_debian_packages(&TOOLS).context("the tests talk to programs of other origin")?;
    let script = "import asyncio, sys; assert sys.version_info >= (3, 8)";
    output_of(Command::new("python3").args(["-c", script]))
        .context("the tests need python3 with asyncio, 3.8 or newer")?;
    Ok(())
}

struct Checks<'a> {
    workspace: &'a Workspace,
    toolchain: Toolchain,
}

impl Checks<'_> {
    fn format(&self) -> Result<()> {
        Step::new("checking the formatting")
            .remedy("run `cargo fmt`, or, where it is missing, `rustup component add rustfmt`")
            .run(self.cargo().args(["fmt", "--all", "--check"]))
    }

    fn lint_native(&self) -> Result<()> {
        Step::new("linting the workspace")
            .remedy("where clippy is missing, run `rustup component add clippy`")
            .run(self.cargo().arg("clippy").args(NATIVE).args([
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
    }

    /// The library as guests link it, with its examples and the tests' guests,
    /// then as the variants of the streams component.
    fn lint_guests(&self) -> Result<()> {
        if self.toolchain != Toolchain::Active {
            eprintln!("==> not linting guests: clippy belongs to a toolchain without {TARGET}");
            return Ok(());
        }
        let programs = ["--package", "guests", "--lib", "--bins", "--examples"];
        Step::new("linting the library, the examples and the guests for WebAssembly")
            .run(self.guest_clippy(&programs)?.args(["--", "-D", "warnings"]))?;
        for variant in ["component", "full"] {
            Step::new(format!(
                "linting the streams component with feature {variant}"
            ))
            .run(
                self.guest_clippy(&["--lib", "--features", variant])?
                    .args(["--", "-D", "warnings"]),
            )?;
        }
        Ok(())
    }

    /// Uses the guests' profile and folder, where the macros are built already.
    fn guest_clippy(&self, what: &[&str]) -> Result<Command> {
        let mut command = self.toolchain.cargo("clippy")?;
        command
            .args(["--package", "asyncio-streams", "--profile", "guest"])
            .args(what)
            .arg("--target-dir")
            .arg(self.workspace.guests())
            .current_dir(self.workspace.root());
        Ok(command)
    }

    /// The two libraries. The command is documented by its `--help`.
    fn document(&self) -> Result<()> {
        Step::new("building the documentation").run(
            self.cargo()
                .args(["doc", "--no-deps", "--lib"])
                .args([
                    "--package",
                    "asyncio-streams",
                    "--package",
                    "asyncio-streams-host",
                ])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }

    /// Checks the library for guests that are written with all of std.
    fn check_wasip2(&self) -> Result<()> {
        if !has_target(WASIP2)? {
            eprintln!("==> not checking the library for {WASIP2}: the target is not installed");
            return Ok(());
        }
        Step::new(format!("checking the library for {WASIP2}")).run(
            self.cargo()
                .args(["check", "--package", "asyncio-streams", "--lib"])
                .args(["--profile", "guest", "--target", WASIP2])
                .arg("--target-dir")
                .arg(self.workspace.guests()),
        )
    }

    fn build_tests(&self) -> Result<()> {
        let mut command = self.cargo();
        command.arg("test").args(NATIVE).arg("--no-run");
        Step::new("building the tests").run(&mut command)
    }

    /// Runs the tests and shows their output. Returns the exit code and the result of
    /// each test.
    fn test(&self, args: &[String]) -> Result<(u8, Results)> {
        let mut command = self.cargo();
        command
            .arg("test")
            .args(NATIVE)
            .args(["--no-fail-fast", "--"])
            .args(args);
        // The test programs print to a pipe, and would use no colours.
        let coloured = std::io::stdout().is_terminal();
        if coloured && !args.iter().any(|arg| arg.starts_with("--color")) {
            command.args(["--color", "always"]);
        }
        if std::env::var_os(THREADS).is_none() {
            let cores = available_parallelism().map_or(1, NonZeroUsize::get);
            command.env(THREADS, (2 * cores).to_string());
        }
        command.stdout(Stdio::piped());
        let mut runner = command.spawn().context("cannot run cargo")?;
        let mut results = Results::default();
        if let Some(pipe) = runner.stdout.take() {
            show(pipe, std::io::stdout(), |line| results.note(line))?;
        }
        let code = runner.wait()?.code();
        let code = code.and_then(|code| u8::try_from(code).ok());
        Ok((code.unwrap_or(1), results))
    }

    fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(self.workspace.root());
        command
    }
}

/// Passes each complete line to `note`, and then shows it.
fn show(pipe: impl Read, mut terminal: impl Write, mut note: impl FnMut(&str)) -> Result<()> {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line)? > 0 {
        note(&String::from_utf8_lossy(&line));
        terminal.write_all(&line)?;
        terminal.flush()?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runner_prints_is_shown_unchanged_and_noted_line_by_line() -> Result<()> {
        let printed = b"\nrunning 1 test\ntest a ... \x1b[32mok\x1b[m\n\xff, no end";
        let (mut shown, mut noted) = (Vec::new(), Vec::new());
        show(&printed[..], &mut shown, |line| noted.push(line.to_owned()))?;
        assert_eq!(shown, printed);
        assert_eq!(noted.len(), 4);
        assert_eq!(noted[1], "running 1 test\n");
        Ok(())
    }
}

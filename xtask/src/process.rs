//! Starts other programs in a clean environment, and ends them when xtask ends.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The time between two looks at a running child.
const POLL: Duration = Duration::from_millis(20);

/// The time from the interrupt until a program that still runs is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A shell script that interrupts process `$0` once standard input ends. xtask closes
/// that pipe to end the process. The kernel closes it if xtask dies.
const LIFELINE: &str = r#"trap '' INT TERM HUP; read -r line
kill -INT "$0" 2>/dev/null
tries=0
while kill -0 "$0" 2>/dev/null && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$0" 2>/dev/null"#;

/// Returns a cargo of the active toolchain, without the variables that `cargo run` has
/// set for xtask itself.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_xtasks_own) {
            command.env_remove(name);
        }
    }
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        let kept = std::env::split_paths(&paths).filter(|path| !is_cargos_library_path(path));
        match std::env::join_paths(kept) {
            Ok(paths) if !paths.is_empty() => command.env("LD_LIBRARY_PATH", paths),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

/// Returns true if `cargo run` sets this variable for xtask, and a user does not.
fn is_xtasks_own(name: &str) -> bool {
    const PREFIXES: [&str; 4] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_ENCODED_",
    ];
    const NAMES: [&str; 3] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns true if `cargo run` adds this folder for xtask: its build folder, or the
/// toolchain's.
fn is_cargos_library_path(path: &Path) -> bool {
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent);
    own.is_some_and(|own| path.starts_with(own))
        || path.components().any(|part| part.as_os_str() == "rustlib")
        || path.join("rustlib").is_dir()
}

/// Runs a short command and returns its standard output, trimmed.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns true if `program` is in a folder of the PATH.
pub(crate) fn is_on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Returns the command as a user types it in a shell.
pub(crate) fn as_typed(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let is_cargo = program.file_stem().is_some_and(|name| name == "cargo");
    let program = if is_cargo {
        OsStr::new("cargo")
    } else {
        program.as_os_str()
    };
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A child that ends when this value is dropped, and also when xtask dies.
#[derive(Debug)]
pub(crate) struct Supervised {
    child: Child,
    /// Runs [`LIFELINE`]. `None` without a shell.
    lifeline: Option<Child>,
}

impl Supervised {
    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", as_typed(command)))?;
        let lifeline = Command::new("sh")
            .args(["-c", LIFELINE, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
        Ok(Self { child, lifeline })
    }

    /// Returns the child, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the child, and returns its exit status if it ends before `deadline`.
    pub(crate) fn wait_until(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Interrupts the child as Ctrl-C does, and kills it if it goes on.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        match &mut self.lifeline {
            Some(lifeline) => drop(lifeline.stdin.take()),
            None => self.child.kill()?,
        }
        if self.wait_until(Instant::now() + GRACE)?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(lifeline) = &mut self.lifeline {
            let _ = lifeline.kill();
            let _ = lifeline.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        let mut command = Command::new("target/debug/app");
        command.args(["tcp://127.0.0.1:0", "Hello World!", "it's", ""]);
        let typed = "target/debug/app tcp://127.0.0.1:0 'Hello World!' 'it'\\''s' ''";
        assert_eq!(as_typed(&command), typed);
    }

    #[test]
    fn variables_of_the_xtask_run_do_not_reach_a_nested_cargo() {
        assert!(is_xtasks_own("CARGO_PKG_VERSION"));
        assert!(is_xtasks_own("CARGO_ENCODED_RUSTFLAGS"));
        assert!(!is_xtasks_own("CARGO_HOME"));
        assert!(!is_xtasks_own("CARGO_TARGET_DIR"));
    }

    #[test]
    #[cfg(unix)]
    fn a_supervised_child_is_interrupted_at_once() -> Result<()> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut sleeper = Supervised::start(Command::new("sleep").arg("60"))?;
        sleeper.interrupt()?;
        let status = sleeper
            .wait_until(Instant::now())?
            .context("still running")?;
        assert_eq!(status.signal(), Some(2));
        Ok(())
    }

    #[test]
    #[cfg(unix)]
    fn a_child_that_ignores_the_interrupt_is_killed_when_dropped() -> Result<()> {
        let mut deaf = Command::new("sh");
        deaf.args(["-c", "trap '' INT; while :; do sleep 0.05; done"]);
        let mut deaf = Supervised::start(&mut deaf)?;
        let id = deaf.child().id().to_string();
        drop(deaf);
        let alive = Command::new("kill")
            .args(["-0", &id])
            .stderr(Stdio::null())
            .status()?;
        assert!(!alive.success());
        Ok(())
    }
}

//! `cargo xtask fuzz`: runs the targets in `tests/fuzz/`, each for a given time.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::debian::{Tool, ensure_debian_packages};
use crate::process::{Supervised, cargo, output_of};
use crate::progress::Step;
use crate::toolchain::host;
use crate::workspace::Workspace;

const PACKAGE: &str = "tests/fuzz";

/// The folder of corpora, logs, and inputs that fail.
const OUTPUT: &str = "target/fuzz";

/// The longest time for one input. libFuzzer reports a slower one as a failure.
const SLOW: Duration = Duration::from_secs(10);

/// The compiler of libFuzzer, which is written in C++.
const COMPILER: Tool = Tool {
    command: "c++",
    package: "g++",
};

/// Runs a program without a limit on its stack. Endless recursion then ends at
/// libFuzzer's limit on memory, which reports the input; a stack overflow does not.
const WITH_ANY_STACK: &str = r#"ulimit -s unlimited 2>/dev/null; exec "$0" "$@""#;

/// Runs one target, or all of them one after the other, for `time` each.
pub(crate) fn run(workspace: &Workspace, target: Option<&str>, time: Duration) -> Result<()> {
    let targets = chosen(&targets(&workspace.root().join(PACKAGE))?, target)?;
    ensure_tools()?;
    let host = host()?;
    Step::new("building the fuzz targets").run(
        cargo()
            .args(["fuzz", "build", "--fuzz-dir", PACKAGE])
            // Sanitizers need a nightly compiler, and find nothing in safe code.
            .args(["--sanitizer", "none"])
            .args(["--target", &host, "--target-dir", OUTPUT])
            .args(target)
            .current_dir(workspace.root()),
    )?;

    let mut failures = Vec::new();
    for name in &targets {
        let program = format!("{OUTPUT}/{host}/release/{name}");
        if let Err(error) = fuzz(workspace, name, &program, time) {
            eprintln!("    {error:#}");
            failures.push(name.as_str());
        }
    }
    if !failures.is_empty() {
        bail!("fuzzing failed: {}", failures.join(", "));
    }
    Ok(())
}

/// Returns the names of all targets, sorted.
fn targets(package: &Path) -> Result<Vec<String>> {
    let folder = package.join("fuzz_targets");
    let files =
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn chosen(all: &[String], target: Option<&str>) -> Result<Vec<String>> {
    match target {
        None => Ok(all.to_vec()),
        Some(name) if all.iter().any(|known| known == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!(
            "there is no fuzz target `{name}`: the targets are {}",
            all.join(", ")
        ),
    }
}

fn ensure_tools() -> Result<()> {
    if std::env::var_os("CXX").is_none() {
        ensure_debian_packages(&[COMPILER]).context("libFuzzer is built by a C++ compiler")?;
    }
    if output_of(cargo().args(["fuzz", "--version"])).is_ok() {
        return Ok(());
    }
    Step::new("installing cargo-fuzz").run(cargo().args(["install", "cargo-fuzz", "--locked"]))
}

fn fuzz(workspace: &Workspace, name: &str, program: &str, time: Duration) -> Result<()> {
    eprintln!("==> fuzzing {name} for {} s", time.as_secs());
    let folder = |kind: &str| -> Result<String> {
        let path = format!("{OUTPUT}/{kind}/{name}");
        let absolute = workspace.root().join(&path);
        std::fs::create_dir_all(&absolute)
            .with_context(|| format!("cannot create {}", absolute.display()))?;
        Ok(path)
    };
    let (corpus, seeds, artifacts) = (folder("corpus")?, folder("seeds")?, folder("artifacts")?);
    let log = format!("{OUTPUT}/{name}.log");
    let mut command = fuzzer(workspace, program);
    command
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-timeout={}", SLOW.as_secs()))
        .arg(format!("-artifact_prefix={artifacts}/"))
        .arg("-print_final_stats=1")
        .args([&corpus, &seeds])
        .env("FUZZ_SEEDS", &seeds)
        .stderr(File::create(workspace.root().join(&log))?);

    let latest = Instant::now() + time + 2 * SLOW;
    let status = Supervised::start(&mut command)?.wait_until(latest)?;
    let text = std::fs::read(workspace.root().join(&log))?;
    let report = Report::read(&String::from_utf8_lossy(&text));
    match (status, &report.input) {
        (Some(status), _) if status.success() => {
            eprintln!("    {} inputs, no failure", report.inputs);
            Ok(())
        }
        (_, Some(input)) => {
            let shown = format!("{input}.txt");
            // The readable form helps the reader, and is not needed: ignore errors.
            let _ = fuzzer(workspace, program)
                .arg(input)
                .env("RUST_LIBFUZZER_DEBUG_PATH", &shown)
                .stderr(Stdio::null())
                .status();
            bail!(
                "{name} fails: {}\n    input: {input}\n    readable: {shown}\n    \
                 log: {log}\n    again: {program} {input}",
                report.reason
            )
        }
        (Some(status), None) => bail!("{name} failed ({status}) and kept no input: see {log}"),
        (None, None) => bail!("{name} did not end: see {log}"),
    }
}

fn fuzzer(workspace: &Workspace, program: &str) -> Command {
    let program = workspace.root().join(program);
    let mut command = if cfg!(unix) {
        let mut shell = Command::new("sh");
        shell.args(["-c", WITH_ANY_STACK]).arg(program);
        shell
    } else {
        Command::new(program)
    };
    command.current_dir(workspace.root());
    command
}

/// The facts from libFuzzer's log of a run.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    /// The number of inputs.
    inputs: u64,
    /// The file of the input that failed.
    input: Option<String>,
    /// The panic's message, or libFuzzer's own reason.
    reason: String,
}

impl Report {
    fn read(log: &str) -> Self {
        let after = |words| log.lines().find_map(|line| Some(line.split_once(words)?.1));
        let panic = log
            .lines()
            .skip_while(|line| !line.contains(" panicked at "))
            .take_while(|line| !line.starts_with("stack backtrace") && !line.starts_with("note: "))
            .take_while(|line| !line.starts_with("=="))
            .collect::<Vec<_>>();
        let other = after("ERROR: libFuzzer: ").unwrap_or("for no reason in the log");
        Self {
            inputs: after("stat::number_of_executed_units:")
                .and_then(|number| number.trim().parse().ok())
                .unwrap_or(0),
            input: after("Test unit written to ").map(str::to_owned),
            reason: match panic.as_slice() {
                [] => other.to_owned(),
                lines => lines.join("\n    "),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_with_a_target_is_one() -> Result<()> {
        let package = Workspace::find()?.root().join(PACKAGE);
        assert_eq!(targets(&package)?, ["buffer", "component", "policy"]);
        Ok(())
    }

    #[test]
    fn one_target_is_chosen_or_all_are() -> Result<()> {
        let all = ["a".to_owned(), "b".to_owned()];
        assert_eq!(chosen(&all, None)?, all);
        assert_eq!(chosen(&all, Some("b"))?, ["b"]);
        let error = chosen(&all, Some("c")).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("the targets are a, b")));
        Ok(())
    }

    #[test]
    fn a_run_that_found_nothing_tells_how_much_it_tried() {
        let log = "Done 9 runs in 2 second(s)\nstat::number_of_executed_units: 9\n";
        let report = Report::read(log);
        assert_eq!((report.inputs, report.input), (9, None));
    }

    #[test]
    fn a_panic_is_shown_with_its_message_and_its_input() {
        let log = "#2 INITED\n\nthread '<unnamed>' (7) panicked at src/a.rs:1:2:\nassertion failed\n  left: 1\n\
                   stack backtrace:\n   0: main\n==7== ERROR: libFuzzer: deadly signal\n\
                   artifact_prefix='a/'; Test unit written to a/crash-1\n\
                   stat::number_of_executed_units: 2\n";
        let report = Report::read(log);
        assert_eq!(report.input.as_deref(), Some("a/crash-1"));
        assert!(report.reason.ends_with("assertion failed\n      left: 1"));
    }

    #[test]
    fn what_is_no_panic_has_libfuzzers_reason() {
        let log = "==7== ERROR: libFuzzer: timeout after 11 seconds\n";
        assert_eq!(Report::read(log).reason, "timeout after 11 seconds");
    }
}

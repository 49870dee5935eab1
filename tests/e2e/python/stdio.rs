//! Checks standard streams in Python with python/tests/standard.py.

use std::fs;
use std::process::Command;

use crate::support::{CACHE, Ended, Process, cache, component, run};

const PROGRAM: &str = "standard-py";

/// Runs the shell's `script`, in which `"$@"` is the program with these arguments.
fn shell(script: &str, args: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(["-c", script, "sh"])
        .args([env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .arg(component(PROGRAM))
        .args(args);
    Process::start(command).end()
}

#[test]
fn standard_input_reaches_standard_output_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let (input, output) = (folder.path().join("input"), folder.path().join("output"));
    fs::write(&input, &data).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    let status = command
        .env(CACHE, cache())
        .arg("run")
        .arg(component(PROGRAM))
        .arg("copy")
        .stdin(fs::File::open(&input).unwrap())
        .stdout(fs::File::create(&output).unwrap())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(status.stderr).unwrap(), "3000000 bytes\n");
    assert!(status.status.success());
    assert!(fs::read(&output).unwrap() == data);
}

#[test]
fn output_printed_before_a_write_or_after_the_close_keeps_its_place() {
    let printed = run(&[], PROGRAM, &["order"]).success();
    assert_eq!(printed, "printed, written, printed\n");
}

#[test]
fn everything_is_written_when_the_program_ends_with_any_code() {
    for code in ["0", "1", "3"] {
        let ended = run(&[], PROGRAM, &["lines", code]).end();
        assert_eq!(ended.code, code.parse().ok());
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 100_000);
        assert_eq!(lines.last(), Some(&"line 99999"));
    }
}

#[test]
fn a_program_ends_while_its_standard_input_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    // The program itself holds the fifo open for writing, so it never ends.
    let script = format!(
        "mkfifo {0} && exec 3<>{0} && echo first >&3 && exec \"$@\" <{0}",
        fifo.display()
    );
    let ended = shell(&script, &["line"]);
    assert_eq!(ended.stdout, "b'first\\n'\nnothing in time\n", "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn an_output_without_a_reader_is_a_broken_pipe() {
    let ended = shell("\"$@\" | head -c 10; echo", &["endless"]);
    assert_eq!(ended.stdout, "endless, e\n", "{ended:?}");
    assert_eq!(
        ended.stderr.matches("BrokenPipeError").count(),
        2,
        "{ended:?}"
    );
}

#[test]
fn an_input_that_cannot_be_read_is_an_error_and_no_end() {
    let ended = shell("exec \"$@\" </", &["copy"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("OSError: "), "{ended:?}");
    let ended = shell("exec \"$@\" </dev/null", &["copy"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "0 bytes\n");
}

//! Checks arguments and standard streams.

use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::command;
use crate::support::{Process, component, run};

#[test]
fn the_programs_name_and_everything_after_it_reach_the_program() {
    let args = [
        "one",
        "--help",
        "-v",
        "--",
        "--allow-connect",
        "x=y",
        "",
        "ü 🦀",
    ];
    let printed = run(&[], "probe", &args).success();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "probe.wasm");
    assert_eq!(lines[1..], args);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;

    let mut command = command(&["run"]);
    let argument = std::ffi::OsStr::from_bytes(b"\xff");
    command.arg(component("probe")).arg(argument);
    let ended = Process::start(command).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is not UTF-8"), "{ended:?}");
}

#[test]
fn standard_output_and_error_are_kept_apart_and_in_order() {
    let ended = run(&[], "prints", &[]).end();
    let lines = |name: &str| -> String { (0..1000).map(|n| format!("{name} {n}\n")).collect() };
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, lines("out"));
    assert_eq!(ended.stderr, lines("err"));
}

#[test]
fn a_mebibyte_printed_at_once_arrives_whole_at_a_slow_reader() {
    let mut child = command(&["run"])
        .arg(component("prints-much"))
        .arg("65536")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut received: Vec<u8> = Vec::new();
    let mut piece = [0; 4096];
    loop {
        // The reader is so slow that the pipe is full most of the time.
        thread::sleep(Duration::from_millis(1));
        match stdout.read(&mut piece).unwrap() {
            0 => break,
            n => received.extend_from_slice(&piece[..n]),
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let expected: String = (0..65536).map(|line| format!("{line:015}\n")).collect();
    assert_eq!(received.len(), expected.len());
    assert!(received == expected.as_bytes());
}

#[test]
fn a_program_whose_output_has_lost_its_reader_ends_with_the_code_of_sigpipe() {
    let mut child = command(&["run"])
        .arg(component("prints-much"))
        .arg("65536")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141), "{stderr}");
    assert_eq!(stderr, "printing\n");
}

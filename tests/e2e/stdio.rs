//! Checks standard streams as a reader and as writers.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{CACHE, cache, component, run};

const UPPER: [&str; 2] = ["upper", "upper-wit"];

/// The forms, with the one in Python, which needs more memory and prints errors as
/// tracebacks.
const PROGRAMS: [&str; 3] = ["upper", "upper-wit", "upper-py"];

fn start(flags: &[&str], name: &str, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_asyncio-streams"))
        .env(CACHE, cache())
        .arg("run")
        .args(flags)
        .arg(component(name))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the program with these lines as its input and returns what it prints.
fn upper(name: &str, input: &str) -> (Option<i32>, String, String) {
    let mut child = start(&[], name, &[]);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    (output.status.code(), stdout, stderr)
}

#[test]
fn lines_are_read_to_the_end_and_the_last_needs_no_newline() {
    for name in PROGRAMS {
        for (input, expected, count) in [
            ("one\n\ntwo\n", "ONE\n\nTWO\n", 3),
            ("no end", "NO END", 1),
            ("", "", 0),
        ] {
            let said = format!("{count} lines\n");
            assert_eq!(
                upper(name, input),
                (Some(0), expected.to_owned(), said),
                "{name}"
            );
        }
    }
}

#[test]
fn each_line_is_answered_before_the_next_is_written() {
    for name in PROGRAMS {
        let mut child = start(&[], name, &[]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        for line in ["first", "second", "third"] {
            stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
            let mut answer = String::new();
            stdout.read_line(&mut answer).unwrap();
            assert_eq!(answer, format!("{}\n", line.to_uppercase()));
        }
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn an_input_that_is_closed_from_the_start_is_at_its_end() {
    for name in PROGRAMS {
        let ended = run(&[], name, &[]).end();
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), "0 lines\n"),
            "{ended:?}"
        );
    }
}

/// The test does not read the program's output until the program takes no more input.
#[test]
fn a_program_whose_output_is_not_read_reads_no_more_input_and_loses_nothing() {
    const LINES: usize = 300_000;
    const BYTES: usize = LINES * 16;
    for name in UPPER {
        let mut child = start(&["--max-memory", "16MiB"], name, &[]);
        let mut stdin = child.stdin.take().unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let feeding = thread::spawn(move || {
            for first in (0..LINES).step_by(100) {
                let lines: String = (first..first + 100)
                    .map(|n| format!("line {n:010}\n"))
                    .collect();
                stdin.write_all(lines.as_bytes()).unwrap();
                counted.fetch_add(lines.len(), Ordering::Relaxed);
            }
        });
        let stuck = until_it_stays(&taken);
        assert!(
            stuck > 0 && stuck < 2 << 20,
            "{name} took {stuck} bytes of {BYTES}"
        );
        let mut printed = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        feeding.join().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
        assert_eq!(printed.len(), BYTES);
        let mut lines = printed.lines().enumerate();
        assert!(lines.all(|(n, line)| line == format!("LINE {n:010}")));
    }
}

/// Waits until the number no longer changes.
fn until_it_stays(number: &AtomicUsize) -> usize {
    let mut before = number.load(Ordering::Relaxed);
    let mut still = 0;
    while before == 0 || still < 50 {
        thread::sleep(Duration::from_millis(10));
        let now = number.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    before
}

#[test]
fn a_program_whose_output_is_closed_is_told_and_ends() {
    for name in UPPER {
        let mut child = start(&[], name, &[]);
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // Reads one line and closes the pipe, as `| head -1` does.
        stdin.write_all(b"first\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "FIRST\n");
        drop(stdout);
        // The input has no end, but the program ends.
        while stdin.write_all(b"another\n").is_ok() {}
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}

#[test]
fn printing_and_writing_to_one_stream_keep_their_order_and_arrive_before_the_end() {
    let ended = run(&[], "stdio", &["mixed"]).end();
    let lines = (0..1000).map(|n| format!("printed {n}\nwritten {n}\n"));
    let expected: String = lines.collect();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, expected);
    assert_eq!(ended.stderr, expected);
}

#[test]
fn a_writer_of_a_closed_output_is_told_by_drain() {
    let mut child = start(&[], "stdio", &["much"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 7]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("then: "), "{stderr}");
}

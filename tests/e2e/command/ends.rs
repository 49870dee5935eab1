//! Checks how a program ends, and what happens after it has returned.

use std::fs;
use std::io::{ErrorKind, Read, Write};

use super::{Peer, connect, expect, is_over, is_reset};
use crate::support::{Ended, run, workspace};

/// Returns the number of the first line of a guest's source that contains this code.
fn line_of(guest: &str, code: &str) -> usize {
    let path = workspace().join(format!("tests/guests/src/bin/{guest}.rs"));
    let source = fs::read_to_string(path).unwrap();
    let line = source.lines().position(|line| line.contains(code));
    line.expect("the source says so") + 1
}

/// Returns the line that says where the program trapped.
fn trap(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(134), "{ended:?}");
    let mut lines = ended.stderr.lines();
    let trap = lines.find_map(|line| line.strip_prefix("asyncio-streams: trap in "));
    trap.unwrap_or_else(|| panic!("no trap: {ended:?}"))
}

#[test]
fn the_programs_own_exit_code_is_the_commands() {
    for code in [0, 1, 7, 134, 255] {
        let ended = run(&[], "exits", &[&code.to_string()]).end();
        assert_eq!(ended.code, Some(code));
        assert_eq!(ended.stderr, "", "{code}");
    }
}

#[test]
fn a_program_that_exits_ends_its_connections_as_any_process_does() {
    let peer = Peer::new();
    let program = peer.visited_by("exits-connected", &[], &[]);
    let mut connection = peer.accept();
    expect(&mut connection, "hello\n");
    connection.write_all(b"hello\n").unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);
    assert_eq!(program.end().code, Some(7));
}

#[test]
fn an_error_is_printed_and_the_exit_code_is_1() {
    let ended = run(&[], "fails", &[]).end();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "before\n");
    assert_eq!(ended.stderr, "error: the cellar is flooded\n");
}

#[test]
fn a_panic_says_what_and_where_after_what_was_printed() {
    let ended = run(&[], "panics", &[]).end();
    let trap = trap(&ended);
    assert!(trap.starts_with("panics"), "{trap}");
    assert_eq!(ended.stdout, "before\n");
    let line = line_of("panics", "panic!(");
    let place = format!("panicked at tests/guests/src/bin/panics.rs:{line}:5:\n");
    let message = format!("{place}the cellar is flooded\n");
    assert!(ended.stderr.starts_with(&message), "{ended:?}");
    assert!(ended.stderr.contains("panics::fall_over"), "{ended:?}");
}

#[test]
fn output_printed_before_a_panic_arrives_in_any_amount() {
    let ended = run(&[], "panics", &["300000"]).end();
    trap(&ended);
    assert_eq!(ended.stdout, format!("{}before\n", ".".repeat(300_000)));
}

#[test]
fn a_panic_in_a_callback_ends_the_program_and_its_connections() {
    let flags = ["--allow-listen", "tcp://127.0.0.1:0"];
    let mut server = run(&flags, "panics-in-a-callback", &["127.0.0.1"]);
    let address = server.listening();
    let (mut silent, mut fatal) = (connect(address), connect(address));
    fatal.write_all(b"water\n").unwrap();
    assert!(is_reset(&mut fatal) && is_reset(&mut silent));
    let ended = server.end();
    trap(&ended);
    let line = line_of("panics-in-a-callback", "panic!(");
    let place = format!("panicked at tests/guests/src/bin/panics-in-a-callback.rs:{line}:5:\n");
    let message = format!("{place}flooded by Ok(b\"water\\n\")\n");
    assert!(ended.stderr.contains(&message), "{ended:?}");
}

#[test]
fn a_trap_of_a_composed_application_names_the_application() {
    let peer = Peer::new();
    let program = peer.visited_by("unreachable-wit", &[], &[]);
    let mut connection = peer.accept();
    expect(&mut connection, "hello\n");
    connection.write_all(b"hello\n").unwrap();
    let ended = program.end();
    let trap = trap(&ended);
    assert!(trap.starts_with("unreachable_wit"), "{trap}");
    assert!(trap.contains("unreachable"), "{trap}");
    let function = "unreachable_wit::give_up";
    assert!(ended.stderr.contains(function), "{ended:?}");
    assert!(is_over(&mut connection));
}

fn cut_after_its_linger(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = "connections not finished 100ms after the program returned: 1;";
    assert!(ended.stderr.contains(line), "{ended:?}");
}

#[test]
fn an_idle_connection_left_open_keeps_the_command_no_longer_than_its_linger() {
    for name in ["forgets", "forgets-wit", "leaves-a-task"] {
        let peer = Peer::new();
        let program = peer.visited_by(name, &["--linger", "100ms"], &[]);
        let mut connection = peer.accept();
        expect(&mut connection, "hello\n");
        let ended = program.end();
        assert!(is_reset(&mut connection));
        cut_after_its_linger(&ended);
    }
}

fn left_unsent(name: &str) {
    let peer = Peer::new();
    let args = ["32000000", "1", "close"];
    let program = peer.visited_by(name, &["--linger", "100ms"], &args);
    let mut connection = peer.accept();
    let ended = program.end();
    let rest = connection.read_to_end(&mut Vec::new());
    let error = rest.expect_err("it looks complete");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(ended.stdout, "leaving\n");
    cut_after_its_linger(&ended);
}

#[test]
fn a_peer_that_does_not_read_does_not_keep_a_static_program_for_ever() {
    left_unsent("leave");
}

#[test]
fn a_peer_that_does_not_read_keeps_a_composed_program_no_longer_than_its_linger() {
    left_unsent("leave-wit");
}

//! The process itself gives up files and system calls that it does not need.

use std::fs;

use crate::support::run;

const ECHO: [&str; 2] = ["127.0.0.1", "0"];

/// Returns these fields of the process's state, as the kernel shows them.
fn state(process: u32) -> [String; 2] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    ["NoNewPrivs:", "Seccomp:"].map(|field| {
        let mut lines = status.lines();
        let value = lines.find_map(|line| line.strip_prefix(field));
        value.unwrap_or_default().trim().to_owned()
    })
}

#[test]
fn a_running_program_has_a_process_without_privileges_to_gain_and_with_fewer_system_calls() {
    let allow = ["--allow-listen", "tcp://127.0.0.1:0"];
    let mut server = run(&allow, "echo-server", &ECHO);
    server.listening();
    assert_eq!(state(server.id()), ["1", "2"]);
}

#[test]
fn the_operator_can_leave_the_process_as_it_is() {
    let own = state(std::process::id());
    let flags = ["--no-confine", "--allow-listen", "tcp://127.0.0.1:0"];
    let mut server = run(&flags, "echo-server", &ECHO);
    server.listening();
    assert_eq!(state(server.id()), own);
}

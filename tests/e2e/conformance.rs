//! The battery of tests/conformance over TCP: IPv4 and IPv6, by programs that
//! connect and programs that serve, linked and composed. The other end of every
//! connection is a plain socket of this test.

mod puppet;

use std::fs;

use self::puppet::Puppet;
use crate::support::{Process, run, workspace};

/// Runs the whole battery.
fn battery(guest: &str, role: &str, host: &str) {
    let puppet = Puppet::start(host);
    let (commands, connections) = (puppet.commands.to_string(), puppet.connections.to_string());
    let address = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let rule = format!("tcp://{address}:*");
    let flags = ["--allow-connect", &rule, "--allow-listen", &rule];
    let run: Process = run(&flags, guest, &[role, host, &commands, &connections]);
    let output = run.success();
    let passed: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    assert_eq!(passed, names(), "every check of the battery, in its order");
}

/// The names of the checks, from the lists in their files.
fn names() -> Vec<String> {
    let folder = workspace().join("tests/conformance");
    let mut names = Vec::new();
    for file in ["reads", "limits", "writes", "transport", "ends"] {
        let text = fs::read_to_string(folder.join(file).with_extension("rs")).unwrap();
        let (_, list) = text.split_once("checks! {").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        names.extend(list.split_whitespace().map(str::to_owned));
    }
    names
}

#[test]
fn battery_over_tcp_v4_as_a_client() {
    battery("conformance", "client", "127.0.0.1");
}

#[test]
fn battery_over_tcp_v6_as_a_server() {
    battery("conformance", "server", "::1");
}

#[test]
fn battery_over_tcp_v6_as_a_client_composed() {
    battery("conformance-wit", "client", "::1");
}

#[test]
fn battery_over_tcp_v4_as_a_server_composed() {
    battery("conformance-wit", "server", "127.0.0.1");
}

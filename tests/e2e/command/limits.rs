//! Checks listeners and limits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::{Peer, connect, expect, is_over};
use crate::support::{PATIENCE, run};

/// Returns the addresses that the command reports, and those that the program prints.
fn listeners(rules: &[&str], hosts: &[&str]) -> (Vec<String>, Vec<String>) {
    let flags: Vec<&str> = rules
        .iter()
        .flat_map(|rule| ["--allow-listen", rule])
        .collect();
    let ended = run(&flags, "listens", hosts).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reported = ended.stderr.lines().map(|line| {
        let address = line.strip_prefix("listening on ");
        address.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
    });
    (
        reported.collect(),
        ended.stdout.lines().map(str::to_owned).collect(),
    )
}

#[test]
fn each_listener_is_reported_with_its_real_port() {
    let (reported, printed) = listeners(&["tcp://127.0.0.1:0"], &["127.0.0.1"]);
    assert_eq!(reported, printed);
    let address: SocketAddr = reported[0].parse().unwrap();
    assert_ne!(address.port(), 0);

    let rules = ["tcp://127.0.0.0/8:*", "tcp://[::1]:*"];
    let hosts = ["127.0.0.1", "127.0.0.2", "::1"];
    let (reported, printed) = listeners(&rules, &hosts);
    assert_eq!(reported, printed);
    let addresses: Vec<SocketAddr> = reported.iter().map(|text| text.parse().unwrap()).collect();
    let ips: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    assert_eq!(ips, hosts);
    assert!(
        addresses
            .iter()
            .all(|address| address.port() == addresses[0].port())
    );
}

#[test]
fn a_rule_for_any_free_port_covers_every_host_of_a_server() {
    let rules = ["tcp://127.0.0.1:0", "tcp://127.0.0.2:0"];
    let (reported, _) = listeners(&rules, &["127.0.0.1", "127.0.0.2"]);
    assert_eq!(reported.len(), 2);
}

#[test]
fn a_rule_for_any_free_port_covers_a_server_on_all_interfaces() {
    let (reported, _) = listeners(&["tcp://*:0"], &[]);
    assert!(!reported.is_empty());
}

#[test]
fn one_socket_too_many_is_an_error_of_the_program() {
    for name in ["connects", "connects-wit"] {
        let peer = Peer::new();
        let ended = peer.visited_by(name, &["--max-sockets", "3"], &[]).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines: Vec<&str> = ended.stdout.lines().collect();
        let reason = "limit of sockets reached";
        let error = format!("3 open, then: connect to {}: {reason}", peer.address);
        assert_eq!(lines, [error.as_str(), "3 open again"]);
        assert!(ended.stderr.contains("--max-sockets 6"), "{ended:?}");
    }
}

#[test]
fn a_server_without_a_socket_for_a_client_goes_on_with_others() {
    for name in ["tcp-echo-server", "tcp-echo-server-wit"] {
        // The limit counts the listener and one connection.
        let flags = ["--allow-listen", "tcp://127.0.0.1:0", "--max-sockets", "2"];
        let mut server = run(&flags, name, &["127.0.0.1", "0"]);
        let address = server.listening();
        let mut first = connect(address);
        assert!(is_over(&mut connect(address)));
        first.write_all(b"first").unwrap();
        expect(&mut first, "first");
        assert!(is_over(&mut first));

        let deadline = Instant::now() + PATIENCE;
        let served = |mut client: TcpStream| {
            let written = client.write_all(b"next");
            let mut received = [0; 4];
            written
                .and_then(|()| client.read_exact(&mut received))
                .is_ok()
        };
        while !served(connect(address)) {
            assert!(Instant::now() < deadline, "{server:?}");
        }
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("--max-sockets 4"), "{ended:?}");
    }
}

#[test]
fn a_program_that_takes_too_much_memory_ends_with_a_clear_message() {
    let ended = run(&["--max-memory", "16MiB"], "allocates", &[]).end();
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(ended.stderr.contains("--max-memory"), "{ended:?}");
}

#[test]
fn a_program_that_needs_more_memory_than_it_may_have_does_not_start() {
    let ended = run(&["--max-memory", "64KiB"], "probe", &[]).end();
    assert_ne!(ended.code, Some(0));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("memory"), "{ended:?}");
}

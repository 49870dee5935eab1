//! Checks listeners and limits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use super::{Peer, connect, expect, is_over, is_reset, patient};
use crate::support::authority::Authority;
use crate::support::{PATIENCE, Process, component, run};

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

/// Sends a line. Returns true if it comes back.
fn is_served(client: &mut TcpStream) -> bool {
    let written = client.write_all(b"line\n");
    let mut received = [0; 5];
    written
        .and_then(|()| client.read_exact(&mut received))
        .is_ok()
}

/// Connects so many times. Leaves those out that are reset before `connect` returns.
fn connected(count: usize, address: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect(address).map(patient).ok();
    (0..count).filter_map(connect).collect()
}

/// Connects until a client is served.
fn until_served(address: SocketAddr) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(client) = TcpStream::connect(address)
            && let mut client = patient(client)
            && is_served(&mut client)
        {
            return client;
        }
        assert!(Instant::now() < deadline, "no client is served");
    }
}

#[test]
fn a_flood_of_peers_is_refused_at_each_limit_and_the_server_goes_on() {
    const PEERS: usize = 300;
    for name in ["echo-server", "echo-server-wit"] {
        for (option, limit) in [
            ("--max-concurrent", "1500"),
            ("--max-handles", "800"),
            ("--max-resources", "100"),
        ] {
            let flags = ["--allow-listen", "tcp://127.0.0.1:0", option, limit];
            let mut server = run(&flags, name, &["127.0.0.1", "0"]);
            let address = server.listening();
            let mut peers = connected(PEERS, address);
            let served = peers
                .iter_mut()
                .filter_map(|peer| is_served(peer).then_some(()));
            let served = served.count();
            let case = format!("{name} {option}: {served} served");
            assert!((5..PEERS).contains(&served), "{case}: {server:?}");
            drop(peers);
            drop(until_served(address));
            server.signal("TERM");
            let ended = server.end();
            assert_eq!(ended.code, Some(0), "{case}: {ended:?}");
            let remedy = format!("allow more with {option}");
            assert!(ended.stderr.contains(&remedy), "{case}: {ended:?}");
        }
    }
}

#[test]
fn an_idle_connection_makes_way_for_a_new_one() {
    for name in ["echo-server", "echo-server-wit"] {
        // The limit counts the listener and three connections.
        let limit = ["--allow-listen", "tcp://127.0.0.1:0", "--max-sockets", "4"];
        let flags = [&limit[..], &["--close-idle", "0s"]].concat();
        let mut server = run(&flags, name, &["127.0.0.1", "0"]);
        let address = server.listening();
        let mut clients: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
        assert!(clients.iter_mut().all(is_served));
        assert!(is_served(&mut clients[0]));
        let mut next = connect(address);
        assert!(is_served(&mut next), "{name}: {server:?}");
        assert!(is_reset(&mut clients[1]), "{name}");
        assert!(is_served(&mut clients[0]) && is_served(&mut clients[2]));

        let flags = [&limit[..], &["--close-idle", "1h"]].concat();
        let mut server = run(&flags, name, &["127.0.0.1", "0"]);
        let address = server.listening();
        let mut clients: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
        assert!(clients.iter_mut().all(is_served));
        assert!(!is_served(&mut connect(address)), "{name}");
        assert!(clients.iter_mut().all(is_served), "{name}");
    }
}

/// Starts the echo server with these limits of open files, soft and hard.
fn with_files(soft: u32, hard: u32, flags: &[&str]) -> Process {
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .args(["--allow-listen", "tcp://127.0.0.1:0"])
        .args(flags)
        .arg(component("echo-server"))
        .args(["127.0.0.1", "0"]);
    Process::start(command)
}

#[test]
fn the_soft_limit_of_open_files_is_raised() {
    let mut server = with_files(64, 1024, &[]);
    let address = server.listening();
    let mut clients: Vec<TcpStream> = (0..400).map(|_| connect(address)).collect();
    assert!(clients.iter_mut().all(is_served));
    server.signal("TERM");
    drop(clients);
    let ended = server.end();
    assert!(!ended.stderr.contains("open files"), "{ended:?}");
}

#[test]
fn a_server_with_all_its_sockets_in_use_reads_its_tls_files_again() {
    let authority = Authority::new();
    let identity = authority.localhost().flag("main");
    let flags = [&identity, "--max-sockets", "200"];
    let mut server = with_files(256, 256, &flags);
    // 112 are kept.
    let warning = server.wait_for_part("the limit of open files is 256");
    assert!(warning.contains("for 144 sockets"), "{warning}");
    let address = server.listening();
    let mut clients = connected(300, address);
    let served = clients
        .iter_mut()
        .filter_map(|client| is_served(client).then_some(()));
    assert_eq!(served.count(), 143);
    server.signal("HUP");
    server.wait_for_part("TLS files were read again");
    drop(clients);
    drop(until_served(address));
}

#[test]
fn workers_divide_the_sockets_among_themselves() {
    let flags = ["--workers", "2", "--max-sockets", "20"];
    let mut server = with_files(1024, 1024, &flags);
    let address = server.listening();
    let mut clients = connected(60, address);
    let served = clients
        .iter_mut()
        .filter_map(|client| is_served(client).then_some(()));
    // Each worker's listener counts too.
    assert!(served.count() <= 18);
    drop(clients);
    drop(until_served(address));
}

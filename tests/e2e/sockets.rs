//! Checks that sockets are what `wasi:sockets` 0.3 documents. The same checks run on our
//! implementation and on wasmtime-wasi's; the differences are listed here.

mod wasmtime_wasi;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::ports::ReservedPort;
use crate::support::{run, run_apart, workspace};

/// The checks that fail on wasmtime-wasi's sockets.
const DEPARTURES: [(&str, &str); 2] = [
    // After a read that took all bytes, wasmtime-wasi still reports the socket as
    // readable.
    ("streams", "asking_for_nothing_waits_for_bytes"),
    // wasmtime-wasi answers with the IPv4-mapped IPv6 address.
    ("lookup", "an_ipv4_mapped_address_is_answered_as_ipv4"),
];

const EVERYTHING: [&str; 8] = [
    "--allow-connect=tcp://127.0.0.1:*",
    "--allow-connect=tcp://[::1]:*",
    "--allow-listen=tcp://*:*",
    "--allow-listen=tcp://192.0.2.1:*",
    "--allow-listen=tcp://[2001:db8::1]:*",
    "--allow-resolve=localhost",
    "--allow-resolve=nowhere.invalid",
    "--allow-resolve=xn--bcher-kva.invalid",
];

const FREE_PORTS: [&str; 4] = [
    "--allow-connect=tcp://127.0.0.1:1024-65535",
    "--allow-connect=tcp://[::1]:1024-65535",
    "--allow-listen=tcp://127.0.0.1:0",
    "--allow-listen=tcp://[::1]:0",
];

const FAMILIES: [&str; 2] = ["v4", "v6"];

/// Returns the reason of each check that failed. All checks of the part have to have run.
fn failures(part: &str, output: &str) -> BTreeMap<String, String> {
    let mut failures = BTreeMap::new();
    let mut done = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("ok ") {
            done.push(name.to_owned());
        } else if let Some(failed) = line.strip_prefix("failed ") {
            let (name, why) = failed.split_once(": ").unwrap();
            done.push(name.to_owned());
            failures.insert(name.to_owned(), why.to_owned());
        }
    }
    assert_eq!(done, names(part), "every check, in its order: {output}");
    failures
}

/// Reads the names of the checks from the list in their file.
fn names(part: &str) -> Vec<String> {
    let path = workspace().join("tests/guests/src").join(part);
    let text = fs::read_to_string(path.with_extension("rs")).unwrap();
    let (_, list) = text.split_once("checks! {").unwrap();
    let (list, _) = list.split_once('}').unwrap();
    list.split_whitespace().map(str::to_owned).collect()
}

fn passes_on_ours(part: &str, flags: &[&str], args: &[&str]) {
    all_passed(&checks(part), &run(flags, "sockets", args).success());
}

/// Names the file of a part, within the guests' sources.
fn checks(part: &str) -> String {
    format!("sockets/{part}")
}

/// Fails unless every check of that file has run and passed.
pub(crate) fn all_passed(part: &str, output: &str) {
    let failures = failures(part, output);
    assert!(failures.is_empty(), "{part}: {failures:#?}\n{output}");
}

fn passes_on_both(part: &str) {
    for family in FAMILIES {
        let free = [ReservedPort::new(), ReservedPort::new()];
        let [ours, theirs] = free.each_ref().map(|port| port.number().to_string());
        passes_on_ours(part, &EVERYTHING, &[family, part, &ours]);
        let output = wasmtime_wasi::run(&[family, part, &theirs]);
        let failures = failures(&checks(part), &output);
        let failed: Vec<&str> = failures.keys().map(String::as_str).collect();
        let departures: Vec<&str> = DEPARTURES
            .iter()
            .filter(|(of, _)| *of == part)
            .map(|(_, check)| *check)
            .collect();
        assert_eq!(failed, departures, "wasmtime-wasi, {family}: {failures:#?}");
    }
}

#[test]
fn binding_is_as_documented() {
    passes_on_both("bind");
}

#[test]
fn connecting_is_as_documented() {
    passes_on_both("connect");
}

#[test]
fn listening_is_as_documented() {
    passes_on_both("listen");
}

#[test]
fn states_are_as_documented() {
    passes_on_both("states");
}

#[test]
fn options_are_as_documented() {
    passes_on_both("options");
}

#[test]
fn sending_and_receiving_is_as_documented() {
    passes_on_both("streams");
}

#[test]
fn ends_of_connections_are_as_documented() {
    passes_on_both("ends");
}

#[test]
fn looking_up_is_as_documented() {
    passes_on_both("lookup");
}

#[test]
fn udp_is_denied_and_nothing_worse() {
    passes_on_both("udp");
}

#[test]
fn sockets_are_as_documented_where_the_policy_denies() {
    for family in FAMILIES {
        passes_on_ours("denied", &FREE_PORTS, &[family, "denied"]);
    }
}

#[test]
fn sockets_are_as_documented_where_ports_run_out() {
    let script = "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range";
    for family in FAMILIES {
        let args = [family, "ports"];
        let Some(ended) = run_apart(script, &EVERYTHING, "sockets", &args) else {
            return;
        };
        assert_eq!(ended.code, Some(0), "{ended:?}");
        all_passed("sockets/ports", &ended.stdout);
    }
}

#[test]
fn every_socket_counts_as_long_as_something_of_it_is_held() {
    for (family, ip) in [
        ("v4", Ipv4Addr::LOCALHOST.into()),
        ("v6", Ipv6Addr::LOCALHOST.into()),
    ] {
        let address = SocketAddr::new(ip, 0);
        let listener = TcpListener::bind(address).unwrap();
        let peer = listener.local_addr().unwrap().port().to_string();
        // Keeps the accepted connections open.
        thread::spawn(move || listener.incoming().collect::<Vec<_>>());
        // Bound and not listening: the kernel keeps the port and refuses connections.
        let nobody = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        nobody.bind(&address.into()).unwrap();
        let refused = nobody.local_addr().unwrap().as_socket().unwrap();
        let refused = refused.port().to_string();

        let flags = [&FREE_PORTS[..], &["--max-sockets=10"]].concat();
        passes_on_ours("limits", &flags, &[family, "limits", &peer, &refused]);
    }
}

//! Runs programs on real sockets that check docs/conformance.md: connections, connecting
//! and serving.

mod known_ports;

mod peer;
mod receiver;

use std::fs;

use self::known_ports::KnownPorts;
use self::peer::{Peer, TlsConfigs};
use crate::support::authority::Authority;
use crate::support::{Process, run, workspace};

/// Runs the whole battery of connections. The other end of every connection is a plain
/// socket of this test.
fn battery(guest: &str, role: &str, host: &str) {
    battery_with(None, &[], guest, role, host);
}

/// Runs the same over TLS. This test has the other end of each session.
fn battery_over_tls(guest: &str, role: &str, host: &str) {
    let (_authority, secure, flags) = secrets();
    battery_with(Some(secure), &flags, guest, role, host);
}

/// Makes the certificates for both ends. Their files last as long as the authority.
fn secrets() -> (Authority, TlsConfigs, [String; 2]) {
    let authority = Authority::new();
    let identity = authority.localhost();
    let secure = TlsConfigs {
        client: authority.client_config(),
        server: authority.server_config(&identity),
    };
    let flags = [authority.roots_flag(), identity.flag("server")];
    (authority, secure, flags)
}

/// Runs the same over Unix sockets.
fn battery_over_unix(guest: &str, role: &str) {
    battery_in_folder(None, &[], guest, role);
}

/// Runs the same over TLS on Unix sockets.
fn battery_over_tls_on_unix(guest: &str, role: &str) {
    let (_authority, secure, flags) = secrets();
    battery_in_folder(Some(secure), &flags, guest, role);
}

/// Checks that cannot pass over Unix sockets. The kernel resets a Unix socket only if it
/// is closed with unread data, and in this check everything was read.
const NOT_OVER_UNIX: [&str; 1] = ["a_reset_after_write_eof_is_noticed"];

fn battery_in_folder(secure: Option<TlsConfigs>, more: &[String], guest: &str, role: &str) {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start_in(folder.path(), secure);
    let server = folder.path().join("server").to_str().unwrap().to_owned();
    let mut flags = vec![
        format!("--allow-connect=unix://{}/*", folder.path().display()),
        format!("--allow-listen=unix://{server}"),
    ];
    flags.extend(more.iter().cloned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let without = NOT_OVER_UNIX.map(|name| format!("-{name}"));
    let mut args = vec![role, &server, &peer.commands, &peer.connections];
    args.extend(without.iter().map(String::as_str));
    passes_without(&NOT_OVER_UNIX, run(&flags, guest, &args), &BATTERY);
}

/// The files in tests/conformance that make up the battery.
const BATTERY: [&str; 6] = ["reads", "limits", "writes", "transport", "ends", "defects"];

fn battery_with(secure: Option<TlsConfigs>, more: &[String], guest: &str, role: &str, host: &str) {
    let peer = Peer::start(host, secure);
    let address = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let rule = format!("tcp://{address}:*");
    let mut flags = vec!["--allow-connect", &rule, "--allow-listen", &rule];
    flags.extend(more.iter().map(String::as_str));
    let args = [role, host, &peer.commands, &peer.connections];
    passes(run(&flags, guest, &args), &BATTERY);
}

/// Runs the checks of connecting and serving.
fn functions(guest: &str) {
    let ports = KnownPorts::open();
    let (refused, half_silent) = (ports.refused.to_string(), ports.half_silent.to_string());
    let flags = [
        "--allow-connect=tcp://127.0.0.1:1024-65535",
        "--allow-connect=tcp://[::1]:1024-65535",
        "--allow-connect=tcp://localhost:1024-65535",
        "--allow-connect=tcp://nowhere.invalid:*",
        "--allow-listen=tcp://*:*",
    ];
    let free: Vec<String> = (ports.free.iter())
        .map(|port| port.number().to_string())
        .collect();
    let run = run(&flags, guest, &[&refused, &half_silent, &free.join(",")]);
    passes(run, &["connecting", "serving"]);
}

/// Waits for the end of the program, which has to have passed every check of these files.
fn passes(run: Process, files: &[&str]) {
    passes_without(&[], run, files);
}

fn passes_without(without: &[&str], run: Process, files: &[&str]) {
    let output = run.success();
    let passed: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    let all: Vec<String> = files.iter().flat_map(|file| names(file)).collect();
    assert!(without.iter().all(|name| all.iter().any(|one| one == name)));
    let mut names = all;
    names.retain(|name| !without.contains(&name.as_str()));
    assert_eq!(passed, names, "every check, in its order");
}

/// Reads the names of the checks from the list in their file.
fn names(file: &str) -> Vec<String> {
    let path = workspace().join("tests/conformance").join(file);
    let text = fs::read_to_string(path.with_extension("rs")).unwrap();
    let (_, list) = text.split_once("checks! {").unwrap();
    let (list, _) = list.split_once('}').unwrap();
    list.split_whitespace().map(str::to_owned).collect()
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

#[test]
fn battery_over_tls_as_a_client() {
    battery_over_tls("conformance", "tls-client", "127.0.0.1");
}

#[test]
fn battery_over_tls_as_a_server() {
    battery_over_tls("conformance", "tls-server", "::1");
}

#[test]
fn battery_over_tls_as_a_client_composed() {
    battery_over_tls("conformance-wit", "tls-client", "::1");
}

#[test]
fn battery_over_tls_as_a_server_composed() {
    battery_over_tls("conformance-wit", "tls-server", "127.0.0.1");
}

#[test]
fn battery_over_unix_sockets_as_a_client() {
    battery_over_unix("conformance", "client");
}

#[test]
fn battery_over_unix_sockets_as_a_server() {
    battery_over_unix("conformance", "server");
}

#[test]
fn battery_over_unix_sockets_as_a_client_composed() {
    battery_over_unix("conformance-wit", "client");
}

#[test]
fn battery_over_unix_sockets_as_a_server_composed() {
    battery_over_unix("conformance-wit", "server");
}

#[test]
fn battery_over_tls_on_unix_sockets_as_a_client() {
    battery_over_tls_on_unix("conformance", "tls-client");
}

#[test]
fn battery_over_tls_on_unix_sockets_as_a_server() {
    battery_over_tls_on_unix("conformance", "tls-server");
}

#[test]
fn battery_over_tls_on_unix_sockets_as_a_client_composed() {
    battery_over_tls_on_unix("conformance-wit", "tls-client");
}

#[test]
fn battery_over_tls_on_unix_sockets_as_a_server_composed() {
    battery_over_tls_on_unix("conformance-wit", "tls-server");
}

#[test]
fn battery_of_connecting_and_serving() {
    functions("functions");
}

#[test]
fn battery_of_connecting_and_serving_composed() {
    functions("functions-wit");
}

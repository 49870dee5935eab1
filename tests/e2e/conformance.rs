//! What docs/conformance.md says of connections, connecting and serving, checked
//! by programs on real sockets.

mod ground;
mod hearing;
mod puppet;

use std::fs;

use self::ground::Ground;
use self::puppet::{Puppet, Secure};
use crate::ssl::authority::Authority;
use crate::support::{Process, run, workspace};

/// Runs the whole battery of connections. The other end of every connection is
/// a plain socket of this test.
fn battery(guest: &str, role: &str, host: &str) {
    battery_with(None, &[], guest, role, host);
}

/// The same over TLS, in whose sessions this test has the other end.
fn battery_over_tls(guest: &str, role: &str, host: &str) {
    let authority = Authority::new();
    let identity = authority.localhost();
    let secure = Secure {
        client: authority.client_config(),
        server: authority.server_config(&identity),
    };
    let flags = [authority.roots_flag(), identity.flag("server")];
    battery_with(Some(secure), &flags, guest, role, host);
}

fn battery_with(secure: Option<Secure>, more: &[String], guest: &str, role: &str, host: &str) {
    let puppet = Puppet::start(host, secure);
    let (commands, connections) = (puppet.commands.to_string(), puppet.connections.to_string());
    let address = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let rule = format!("tcp://{address}:*");
    let mut flags = vec!["--allow-connect", &rule, "--allow-listen", &rule];
    flags.extend(more.iter().map(String::as_str));
    let run = run(&flags, guest, &[role, host, &commands, &connections]);
    passes(
        run,
        &["reads", "limits", "writes", "transport", "ends", "defects"],
    );
}

/// Runs the checks of connecting and serving.
fn functions(guest: &str) {
    let ground = Ground::lay();
    let (refused, half_silent) = (ground.refused.to_string(), ground.half_silent.to_string());
    let flags = [
        "--allow-connect=tcp://127.0.0.1:1024-65535",
        "--allow-connect=tcp://[::1]:1024-65535",
        "--allow-connect=tcp://localhost:1024-65535",
        "--allow-connect=tcp://nowhere.invalid:*",
        "--allow-listen=tcp://*:*",
    ];
    let run = run(&flags, guest, &[&refused, &half_silent]);
    passes(run, &["connecting", "serving"]);
}

/// The program runs to its end, with every check of these files.
fn passes(run: Process, files: &[&str]) {
    let output = run.success();
    let passed: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    let names: Vec<String> = files.iter().flat_map(|file| names(file)).collect();
    assert_eq!(passed, names, "every check, in its order");
}

/// The names of the checks, from the list in their file.
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
fn battery_of_connecting_and_serving() {
    functions("functions");
}

#[test]
fn battery_of_connecting_and_serving_composed() {
    functions("functions-wit");
}

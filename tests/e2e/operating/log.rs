use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{connect, echo_server, wait_for_text};
use crate::support::run;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    (folder, path)
}

/// Returns the events of a log. Each line has to be one.
fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Waits for an event whose message starts with this.
fn wait_for_event(log: &Path, message: &str) -> Value {
    wait_for_text(log, |text| {
        // The last line may be half written.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut found = events(whole).into_iter();
        found.find(|event| event["message"].as_str().unwrap().starts_with(message))
    })
}

/// Sends a line to an echo server, ends the connection, and returns its own address.
fn visit(address: std::net::SocketAddr, line: &str) -> String {
    let mut client = connect(address);
    let own = client.local_addr().unwrap().to_string();
    client.write_all(line.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, line);
    own
}

#[test]
fn a_log_of_json_has_each_connection_with_its_peer_rule_bytes_and_end() {
    let (_folder, log) = file();
    let path = log.to_str().unwrap();
    let (server, address) = echo_server(&["--log-format", "json", "--log-file", path]);
    let client = visit(address, "hello\n");

    let opened = wait_for_event(&log, "connection opened");
    let closed = wait_for_event(&log, "connection closed");
    for event in [&opened, &closed] {
        assert_eq!(event["peer"], client, "{event}");
        assert_eq!(event["direction"], "in", "{event}");
        assert_eq!(event["listener"], address.to_string(), "{event}");
        assert_eq!(event["rule"], "tcp://127.0.0.1:0", "{event}");
        assert_eq!(event["level"], "INFO", "{event}");
        assert!(event["timestamp"].is_string(), "{event}");
    }
    assert_eq!(opened["connection"], closed["connection"]);
    assert_eq!(closed["received"], 6, "{closed}");
    assert_eq!(closed["sent"], 6, "{closed}");
    assert_eq!(closed["reason"], "ended", "{closed}");
    assert!(closed["seconds"].as_f64().unwrap() > 0.0, "{closed}");
    let listening = wait_for_event(&log, "listening");
    assert_eq!(listening["address"], address.to_string());

    server.signal("TERM");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // The rest is in the file.
    assert_eq!(ended.stderr, format!("listening on {address}\n"));
}

#[test]
fn a_connection_that_the_guest_makes_has_its_rule_and_a_reset_is_a_failure() {
    let (_folder, log) = file();
    let path = log.to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flags = [
        "--allow-connect",
        "tcp://127.0.0.0/8:*",
        "--log-format",
        "json",
        "--log-file",
        path,
    ];
    let port = address.port().to_string();
    let client = run(&flags, "receive", &["127.0.0.1", &port, "1"]);
    let (peer, _) = listener.accept().unwrap();
    // Before, the connect itself could fail.
    wait_for_event(&log, "connection opened");
    let socket = socket2::Socket::from(peer);
    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(socket);
    client.end();
    let closed = wait_for_event(&log, "connection closed");
    assert_eq!(closed["direction"], "out", "{closed}");
    assert_eq!(closed["peer"], address.to_string(), "{closed}");
    assert_eq!(closed["rule"], "tcp://127.0.0.0/8:*", "{closed}");
    assert_eq!(closed["reason"], "failed", "{closed}");
    let message = closed["message"].as_str().unwrap();
    assert_eq!(message, "connection closed: failed: connection reset");
}

#[test]
fn what_the_guest_prints_is_no_line_of_the_log() {
    let (_folder, log) = file();
    let path = log.to_str().unwrap();
    let forged = r#"{"level":"INFO","message":"forged"}"#;
    // The program prints its error, which has this text in it.
    let flags = ["--log-format", "json", "--log-file", path];
    let ended = run(&flags, "connect", &["a.invalid", forged]).end();
    assert!(ended.stderr.contains("forged"), "{ended:?}");
    let ended = run(&flags, "connect", &["127.0.0.1", "80"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("error: connect"), "{ended:?}");
    let denied = wait_for_event(&log, "denied: connect to 127.0.0.1:80");
    assert_eq!(denied["label"], "no-rule", "{denied}");
    assert_eq!(denied["operation"], "connect", "{denied}");
    assert_eq!(denied["rule"], "tcp://127.0.0.1:80", "{denied}");
    assert_eq!(
        denied["remedy"],
        "allow it with --allow-connect tcp://127.0.0.1:80"
    );
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        !text.contains("forged") && !text.contains("error: "),
        "{text}"
    );
    events(&text);
}

#[test]
fn a_look_up_is_an_event_with_the_number_of_its_addresses() {
    let (_folder, log) = file();
    let path = log.to_str().unwrap();
    let flags = [
        "--allow-resolve",
        "*",
        "--log-format",
        "json",
        "--log-file",
        path,
    ];
    run(&flags, "connect", &["a.invalid", "80"]).end();
    let looked_up = wait_for_event(&log, "looked up");
    assert_eq!(looked_up["name"], "a.invalid", "{looked_up}");
    assert_eq!(looked_up["addresses"], 0, "{looked_up}");
}

#[test]
fn sighup_opens_the_log_anew_after_a_rotation() {
    let (_folder, log) = file();
    let path = log.to_str().unwrap();
    let (server, address) = echo_server(&["--log-file", path]);
    let first = visit(address, "one\n");
    let closed = |client: &str| {
        let peer = format!("peer={client} ");
        move |text: &str| {
            text.lines()
                .any(|line| line.contains("connection closed: ended") && line.contains(&peer))
                .then_some(())
        }
    };
    wait_for_text(&log, closed(&first));
    let rotated = log.with_extension("1");
    std::fs::rename(&log, &rotated).unwrap();
    server.signal("HUP");
    // Once the file is there again, the log goes to it.
    wait_for_text(&log, |_| log.exists().then_some(()));
    let second = visit(address, "two\n");
    wait_for_text(&log, closed(&second));
    let old = std::fs::read_to_string(&rotated).unwrap();
    assert!(old.contains(&first) && !old.contains(&second), "{old}");
}

#[test]
fn a_log_without_these_options_says_nothing_about_connections() {
    let (server, address) = echo_server(&[]);
    visit(address, "hello\n");
    server.signal("TERM");
    let ended = server.end();
    assert_eq!(ended.stderr, format!("listening on {address}\n"));
}

#[test]
fn a_log_that_cannot_be_opened_is_said_and_the_program_does_not_start() {
    let ended = run(&["--log-file", "/nowhere/log"], "probe", &[]).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("--log-file /nowhere/log: "),
        "{ended:?}"
    );
}

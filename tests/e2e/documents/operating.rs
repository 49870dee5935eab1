//! Runs what the page for operators shows.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::host;
use super::page::{Page, code_spans};
use crate::support::{Process, component};

fn page() -> Page {
    Page::read("docs/operating.md")
}

#[test]
fn the_log_shown_has_the_events_and_the_fields_of_the_table() {
    let page = page();
    let folder = tempfile::tempdir().unwrap();
    let line = page.command(&["asyncio-streams", "run"], "echo-server.wasm");
    let (program, options) = line[1..].split_last().unwrap();
    assert_eq!(program, "echo-server.wasm");
    let mut command = host();
    command
        .current_dir(folder.path())
        .args(options)
        .arg(component("echo-server"))
        .args(["127.0.0.1", "0"]);
    let mut server = Process::start(command);
    let mut client = TcpStream::connect(server.listening()).unwrap();
    client.write_all(b"x").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));

    let text = fs::read_to_string(folder.path().join("events.json")).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rows = page.rows("## The log");
    for start in ["connection opened", "connection closed", "listening"] {
        let event = events
            .iter()
            .find(|event| event["message"].as_str().unwrap().starts_with(start))
            .unwrap_or_else(|| panic!("no {start}: {text}"));
        let row = rows.iter().find(|row| row[0].contains(start)).unwrap();
        let fields = code_spans(&row[1]).into_iter();
        for field in fields.filter(|field| !["in", "out"].contains(field)) {
            assert!(!event[field].is_null(), "{start}: {field}: {event}");
        }
    }
}

#[test]
fn the_policy_file_shown_is_what_a_dry_run_prints() {
    let page = page();
    let line = page.command(&["asyncio-streams", "run", "--dry-run"], "client.wasm");
    assert_eq!(line[2], "--dry-run");
    // The example's port.
    let listener = TcpListener::bind("127.0.0.1:8888").unwrap();
    let peer = thread::spawn(move || drop(listener.accept().unwrap()));
    let mut command = host();
    command
        .args(["run", "--dry-run"])
        .arg(component("tcp-echo-client"));
    let ended = Process::start(command).end();
    peer.join().unwrap();
    assert!(
        ended.stderr.ends_with(page.block("toml", "dry-run")),
        "{ended:?}"
    );
}

#[test]
fn the_counters_of_the_table_are_those_that_are_served() {
    let mut command = host();
    command
        .args([
            "run",
            "--metrics",
            "tcp://127.0.0.1:0",
            "--allow-listen",
            "tcp://127.0.0.1:0",
        ])
        .arg(component("echo-server"))
        .args(["127.0.0.1", "0"]);
    let mut server = Process::start(command);
    let address = server.wait_for("asyncio-streams: metrics on http://");
    server.listening();
    let mut connection = TcpStream::connect(address.strip_suffix("/metrics").unwrap()).unwrap();
    connection
        .write_all(b"GET /metrics HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let served: BTreeSet<&str> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|family| family.split(' ').next())
        .collect();
    let prose = page().prose();
    let shown: BTreeSet<&str> = code_spans(&prose)
        .into_iter()
        .filter(|span| span.starts_with("asyncio_streams_"))
        .collect();
    let undocumented: Vec<_> = served.difference(&shown).collect();
    assert_eq!(undocumented, [&"asyncio_streams_info"]);
    assert!(shown.is_subset(&served), "{shown:?} {served:?}");
}

#[test]
fn the_quotas_of_the_table_are_those_of_the_help() {
    let output = host().args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let quotas = help.split("\nQuotas ").nth(1).unwrap();
    let quotas = quotas.split("\n\n\n").next().unwrap();
    let section = quotas
        .lines()
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '));
    let options: BTreeSet<String> = section
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .filter_map(|line| line.split(' ').next())
        .map(|option| format!("`--{option}`"))
        .collect();
    let page = page();
    let rows = page.rows("## Quotas");
    let shown: BTreeSet<String> = rows[1..].iter().map(|row| row[0].clone()).collect();
    assert_eq!(shown, options);
}

#[test]
fn the_line_of_a_reload_is_the_one_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, "").unwrap();
    let mut command = host();
    command
        .current_dir(folder.path())
        .args([
            "run",
            "--policy",
            "policy.toml",
            "--allow-listen",
            "tcp://127.0.0.1:0",
        ])
        .arg(component("echo-server"))
        .args(["127.0.0.1", "0"]);
    let mut server = Process::start(command);
    server.listening();
    fs::write(&file, "allow-connect = \"tcp://127.0.0.1:8888\"\n").unwrap();
    server.signal("HUP");
    let page = page();
    let shown = page.block("text", "reload");
    assert_eq!(server.wait_for_part("policy files were read again"), shown);
}

#[test]
fn the_options_of_the_unit_are_those_of_the_help() {
    let output = host().args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let page = page();
    let unit = page.block("ini", "unit");
    let options = unit
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    let mut count = 0;
    for option in options {
        assert!(help.contains(&format!("  {option} <")), "{option}");
        count += 1;
    }
    assert!(count > 1, "{unit}");
}

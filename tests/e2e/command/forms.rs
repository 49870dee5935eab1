//! Checks that every form of a program runs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use wit_component::DecodedWasm;

use super::{Peer, command, expect, is_over, run_file};
use crate::support::{Process, component, run, workspace};

/// Builds a core module as cargo makes it.
fn core_module(name: &str) -> PathBuf {
    let path = workspace()
        .join("target/guests/wasm32-unknown-unknown/guest")
        .join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// Runs a client, and answers it as its peer.
fn answered(start: impl FnOnce(&Peer) -> Process) {
    let peer = Peer::new();
    let client = start(&peer);
    let mut connection = peer.accept();
    expect(&mut connection, "hello");
    connection.write_all(b"goodbye").unwrap();
    assert_eq!(
        client.success(),
        "Send: 'hello'\nReceived: 'goodbye'\nClose the connection\n"
    );
    assert!(is_over(&mut connection));
}

fn client_at(path: &Path, flags: &[&str]) {
    answered(|peer| {
        let (rule, port) = (peer.rule(), peer.address.port().to_string());
        let flags = [&["--allow-connect", &rule], flags].concat();
        run_file(&flags, path, &["127.0.0.1", &port, "hello"])
    });
}

#[test]
fn a_core_module_straight_from_cargo_runs() {
    let printed = run_file(&[], &core_module("probe"), &["one"]).success();
    assert_eq!(printed, "probe.wasm\none\n");
    client_at(&core_module("examples/tcp-echo-client"), &[]);
    client_at(&core_module("examples/tcp-echo-client-wit"), &[]);
}

#[test]
fn a_composed_program_runs_without_a_streams_component() {
    let folder = tempfile::tempdir().unwrap();
    for application in [
        component("tcp-echo-client-wit"),
        core_module("examples/tcp-echo-client-wit"),
    ] {
        let alone = run_file(&["--streams-component", "none"], &application, &[]).end();
        assert_eq!(alone.code, Some(2), "{alone:?}");

        let path = folder.path().join("composed.wasm");
        let mut compose = command(&["compose", "-o"]);
        compose.arg(&path).arg(application);
        assert_eq!(Process::start(compose).success(), "");
        client_at(&path, &["--streams-component", "none"]);
    }
}

#[test]
fn compose_writes_to_standard_output() {
    let mut compose = command(&["compose", "-o", "-"]);
    let output = compose
        .arg(component("tcp-echo-client-wit"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("composed.wasm");
    fs::write(&path, output.stdout).unwrap();
    client_at(&path, &["--streams-component", "none"]);
}

#[test]
fn another_streams_component_is_used_when_it_is_named() {
    let streams = component("streams-tcp");
    for which in [streams.to_str().unwrap(), "tcp", "full"] {
        let flags = ["--streams-component", which];
        client_at(&component("tcp-echo-client-wit"), &flags);
    }
}

#[test]
fn a_program_composed_for_other_hosts_imports_nothing_but_wasi() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("composed.wasm");
    for (which, needs_ours) in [("tcp", false), ("full", true)] {
        let mut compose = command(&["compose", "--streams-component", which, "-o"]);
        compose.arg(&path).arg(component("tcp-echo-client-wit"));
        assert_eq!(Process::start(compose).success(), "");
        let composed = fs::read(&path).unwrap();
        let DecodedWasm::Component(resolve, world) = wit_component::decode(&composed).unwrap()
        else {
            panic!("{which} made a package");
        };
        let mut imports = resolve.worlds[world].imports.keys();
        let ours = imports.any(|key| resolve.name_world_key(key).starts_with("asyncio:"));
        assert_eq!(ours, needs_ours, "{which}");
    }
}

#[test]
fn a_program_may_have_bindings_of_its_own_for_the_hosts_package() {
    let printed = run(&[], "binds-host", &[]).success();
    assert_eq!(printed, "through the library\nthrough the bindings\n");
}

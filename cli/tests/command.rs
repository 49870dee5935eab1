//! What the command does before any guest runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(args: &[&str]) -> Run {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"))
        .env("ASYNCIO_STREAMS_COMPONENT", "none")
        .env("ASYNCIO_STREAMS_CACHE", "none")
        .args(args)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with a component that traps if anything calls it.
fn component(wit: &str) -> (TempDir, PathBuf) {
    let mut resolve = Resolve::default();
    let cli = |version: &str, kind: &str| {
        format!("package wasi:cli@{version}; interface run {{ run: {kind} func() -> result; }}")
    };
    resolve.push_str("cli2.wit", &cli("0.2.3", "")).unwrap();
    resolve
        .push_str("cli3.wit", &cli("0.3.0", "async"))
        .unwrap();
    let streams = "package asyncio:streams@0.1.0; interface streams { connect: func(); }";
    resolve.push_str("streams.wit", streams).unwrap();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    let bytes = encoder.module(&module).unwrap().encode().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.wasm");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn help_shows_examples_and_the_grammar() {
    let top = run(&["--help"]);
    assert_eq!(top.code, Some(0));
    assert!(top.stdout.contains("Examples:"), "{}", top.stdout);
    let help = run(&["run", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("tcp://HOST:PORT"), "{}", help.stdout);
    assert!(
        help.stdout.contains("--allow-connect <RULE>"),
        "{}",
        help.stdout
    );
}

#[test]
fn the_version_is_the_packages() {
    let version = run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout.trim(),
        format!("asyncio-streams {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = run(&["completions", shell]);
        assert_eq!(completions.code, Some(0));
        assert!(completions.stdout.contains("asyncio-streams"), "{shell}");
    }
}

#[test]
fn a_usage_error_exits_with_2() {
    for args in [
        &[][..],
        &["run"],
        &["run", "--bogus", "a.wasm"],
        &["compose", "a.wasm"],
        &["compile"],
    ] {
        assert_eq!(run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_rule_that_does_not_parse_is_a_usage_error_that_shows_the_grammar() {
    for flag in [
        "--allow-connect",
        "--allow-listen",
        "--deny-connect",
        "--deny-listen",
    ] {
        let bad = run(&["run", flag, "127.0.0.1:80", "app.wasm"]);
        assert_eq!(bad.code, Some(2));
        assert!(bad.stderr.contains("tcp://HOST:PORT"), "{}", bad.stderr);
    }
    let bad = run(&["run", "--allow-resolve", "a b", "app.wasm"]);
    assert_eq!(bad.code, Some(2));
    assert!(
        bad.stderr.contains("a host name, *.suffix or *"),
        "{}",
        bad.stderr
    );
}

#[test]
fn a_rule_for_unix_sockets_that_does_not_parse_shows_their_grammar() {
    let mode = "unix:///run/app.sock?mode=0660";
    for (flag, rule) in [
        ("--allow-connect", "unix://run/app.sock"),
        ("--allow-connect", mode),
        ("--allow-listen", "unix:///run/*/app.sock"),
    ] {
        let bad = run(&["run", flag, rule, "app.wasm"]);
        assert_eq!(bad.code, Some(2));
        assert!(bad.stderr.contains("unix:///PATH"), "{}", bad.stderr);
    }
}

#[test]
fn sockets_that_nobody_hands_over_are_an_error_that_says_what_to_do() {
    let bad = run(&["run", "--listen-fds", "app.wasm"]);
    assert_eq!(bad.code, Some(2));
    assert!(
        bad.stderr.contains("systemd-socket-activate"),
        "{}",
        bad.stderr
    );
}

#[test]
fn a_missing_file_is_named() {
    let missing = run(&["run", "no-such-file.wasm"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stderr.contains("cannot read no-such-file.wasm"),
        "{}",
        missing.stderr
    );
    assert_eq!(missing.stdout, "");
}

#[test]
fn a_file_that_is_no_webassembly_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.wasm");
    fs::write(&path, "print('hello')").unwrap();
    for command in ["run", "compile"] {
        let refused = run(&[command, path.to_str().unwrap()]);
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains("app.wasm: this is not WebAssembly"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_wasi_0_2_program_is_refused_with_what_to_do() {
    let wit = "package a:b; world w { export wasi:cli/run@0.2.3; }";
    let (_folder, path) = component(wit);
    let refused = run(&["run", path.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("for WASI 0.2"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("build it against WASI 0.3"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_component_that_is_no_program_is_refused() {
    let (_folder, path) = component("package a:b; world w { export f: func(); }");
    let refused = run(&["run", path.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("not a program"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_application_is_refused_when_there_is_no_streams_component() {
    let wit = "package a:b; world w { import asyncio:streams/streams@0.1.0; \
        export wasi:cli/run@0.3.0; }";
    let (_folder, path) = component(wit);
    let refused = run(&["run", path.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("asyncio:streams/streams@0.1.0"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_trap_exits_with_134_and_says_why() {
    let (_folder, path) = component("package a:b; world w { export wasi:cli/run@0.3.0; }");
    let trapped = run(&["run", "--stats", path.to_str().unwrap(), "--not-ours"]);
    assert_eq!(trapped.code, Some(134), "{}", trapped.stderr);
    assert!(
        trapped.stderr.contains("asyncio-streams: trap"),
        "{}",
        trapped.stderr
    );
    assert!(
        trapped.stderr.contains("stats: sockets-open=0"),
        "{}",
        trapped.stderr
    );
    assert!(!trapped.stderr.contains('\x1b'), "{}", trapped.stderr);
}

#[test]
fn compose_writes_a_program_that_needs_nothing_as_it_is() {
    let (folder, path) = component("package a:b; world w { export wasi:cli/run@0.3.0; }");
    let output = folder.path().join("out.wasm");
    let composed = run(&[
        "compose",
        path.to_str().unwrap(),
        "-o",
        output.to_str().unwrap(),
    ]);
    assert_eq!(composed.code, Some(0), "{}", composed.stderr);
    assert_eq!(fs::read(&path).unwrap(), fs::read(&output).unwrap());
}

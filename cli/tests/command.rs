//! The command line, and what the command does before a guest runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::{env, fs};

use assert_cmd::Command;
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// The result of a run of the command.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(args: &[&str]) -> Run {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"))
        .env("ASYNCIO_STREAMS_COMPONENT", "none")
        .env("ASYNCIO_STREAMS_CACHE", "none")
        // The width of the help, where there is no terminal.
        .env_remove("COLUMNS")
        .args(args)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Returns a folder with a component whose functions trap when they are called.
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

/// The texts of `--help` are files in `help/`, so that a change shows what users will read.
/// To write them anew, run this test with UPDATE_HELP=1.
#[test]
fn the_help_of_each_command_is_the_one_on_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let update = env::var_os("UPDATE_HELP").is_some();
    for (name, args) in [
        ("asyncio-streams", &["--help"][..]),
        ("run", &["run", "--help"]),
        ("compose", &["compose", "--help"]),
        ("compile", &["compile", "--help"]),
        ("policy", &["policy", "--help"]),
        ("policy-check", &["policy", "check", "--help"]),
        ("policy-explain", &["policy", "explain", "--help"]),
        ("policy-schema", &["policy", "schema", "--help"]),
        ("completions", &["completions", "--help"]),
    ] {
        let shown = run(args);
        assert_eq!(shown.code, Some(0), "{name}");
        assert_eq!(shown.stderr, "", "{name}");
        let path = folder.join(name).with_extension("txt");
        if update {
            fs::write(&path, &shown.stdout).unwrap();
        }
        let on_file = fs::read_to_string(&path).unwrap();
        assert_eq!(
            shown.stdout, on_file,
            "{name}: see UPDATE_HELP in this test"
        );
    }
}

#[test]
fn the_short_help_of_run_names_every_option_and_where_more_is_said() {
    let short = run(&["run", "-h"]);
    assert_eq!(short.code, Some(0));
    let long = run(&["run", "--help"]).stdout;
    let options = |help: &str| {
        let indented = help.lines().filter_map(|line| line.strip_prefix("  "));
        let options = indented.filter(|line| line.trim_start().starts_with('-'));
        let names =
            options.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
        names
            .map(|name| name.trim_end_matches(',').to_owned())
            .collect::<Vec<_>>()
    };
    assert!(options(&long).len() > 20, "{long}");
    assert_eq!(options(&short.stdout), options(&long));
    assert!(short.stdout.ends_with("for the rules, see --help.\n"));
}

#[test]
fn a_mistake_in_a_policy_file_is_shown_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let path = file.to_str().unwrap();
    for (text, line, problem) in [
        (
            "allow-connect = [\n  '127.0.0.1:80',\n]",
            2,
            "tcp://HOST:PORT",
        ),
        (
            "\nmax-memory = '1 apple'",
            2,
            "max-memory: a size is a number",
        ),
        ("[program.web]\nallow-conect = []", 2, "allow-connect"),
        ("stats = true\nstats = true", 2, "duplicate key"),
    ] {
        fs::write(&file, text).unwrap();
        for args in [
            &["policy", "check", path][..],
            &["policy", "explain", "--policy", path, "tcp://1.1.1.1:80"],
            &["run", "--policy", path, "app.wasm"],
        ] {
            // Only `check` looks at the settings of programs that are not named.
            if text.contains("max-memory") && args[1] == "explain" {
                continue;
            }
            let bad = run(args);
            assert_eq!(bad.code, Some(2), "{}", bad.stderr);
            let place = format!("{path}:{line}: ");
            assert!(bad.stderr.contains(&place), "{}", bad.stderr);
            assert!(bad.stderr.contains(problem), "{}", bad.stderr);
        }
    }
}

#[test]
fn explain_names_the_rule_that_decides() {
    let explain = |args: &[&str]| {
        let explained = run(&[&["policy", "explain"], args].concat());
        assert_eq!(explained.stderr, "");
        (explained.code, explained.stdout)
    };
    let allowed = |text: &str| (Some(0), format!("allowed: {text}\n"));
    let denied = |text: &str| (Some(1), format!("denied: {text}\n"));
    assert_eq!(
        explain(&["--allow-connect", "tcp://a.example:80", "a.example"]),
        allowed("look up a.example: allow-connect tcp://a.example:80 (command line)")
    );
    let named = [
        "--allow-connect",
        "tcp://a.example:80",
        "--name",
        "a.example",
    ];
    assert_eq!(
        explain(&[&named[..], &["tcp://1.1.1.1:80"]].concat()),
        allowed("connect to 1.1.1.1:80: allow-connect tcp://a.example:80 (command line)")
    );
    assert_eq!(
        explain(&[&named[..], &["tcp://10.0.0.1:80"]].concat()),
        denied(
            "connect to 10.0.0.1:80: a.example resolved to a private address, which its rule does \
             not cover; allow it with --allow-connect 'tcp://a.example:80?private'"
        )
    );
    assert_eq!(
        explain(&[
            "--listen",
            "--allow-listen",
            "tcp://127.0.0.1:*",
            "tcp://127.0.0.1:80"
        ]),
        allowed("listen on 127.0.0.1:80: allow-listen tcp://127.0.0.1:* (command line)")
    );
    assert_eq!(
        explain(&["unix:///run/a.sock"]),
        denied(
            "connect to unix:///run/a.sock: no rule allows it; allow it with --allow-connect \
             unix:///run/a.sock"
        )
    );
    for wrong in ["tcp://a.example:80", "http://a", "unix://a"] {
        let bad = run(&["policy", "explain", wrong]);
        assert_eq!(bad.code, Some(2), "{wrong}");
        assert!(bad.stderr.contains(wrong), "{}", bad.stderr);
    }
}

#[test]
fn a_denied_name_whose_addresses_are_open_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let text = "allow-connect = 'tcp://*:443'\ndeny-connect = 'tcp://evil.example:443'\n";
    fs::write(&file, text).unwrap();
    let checked = run(&["policy", "check", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(0));
    let warning = "warning: deny-connect tcp://evil.example:443 covers only addresses";
    assert!(checked.stderr.contains(warning), "{}", checked.stderr);
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
fn missing_inherited_sockets_are_an_error_that_says_what_to_do() {
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

//! Executes the README and the guides in docs/: builds their code, runs their
//! commands, and compares their output and their tables with what the code does.

mod applications;
mod asyncio;
mod operating;
mod page;
mod paths;
mod policy;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use asyncio_streams_host::policy::{
    Decision, GRANT_LIFETIME, Grants, HostName, Policy, UnixName, Use,
};
use asyncio_streams_host::{DEFAULT_GRACE, DEFAULT_LINGER, Limits};

use self::asyncio::sources;
use self::page::{GUIDES, Page, code_spans, text, words};
use crate::support::{Process, component, run, workspace};

/// The command, without variables of the caller's environment that change it.
fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG");
    command
}

/// Runs the commands that `cargo xtask echo` shows. The demo itself would build
/// the components and the command again while other tests use them.
#[test]
fn the_echo_demo_prints_what_is_shown() {
    let guides = Page::guides();
    let shown = guides.block("text", "echo");
    let commands: Vec<Vec<String>> = lines(shown, "$ ").map(words).collect();
    let [server, client] = &commands[..] else {
        panic!("{commands:?}");
    };
    let mut server = demo(server, "40197", "0");
    let port = server.listening().port().to_string();
    let client = demo(client, "40197", &port).success();
    let expected: String = lines(shown, "client | ")
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(client, expected);
    for line in lines(shown, "server | ").skip(1) {
        server.wait_for(
            line.split(|letter: char| letter.is_ascii_digit())
                .next()
                .unwrap(),
        );
    }

    let demo = fs::read_to_string(workspace().join("xtask/src/echo.rs")).unwrap();
    let closing = shown.rsplit("\n\n").next().unwrap();
    for line in closing.lines() {
        assert!(
            demo.contains(line),
            "cargo xtask echo does not print: {line}"
        );
    }
}

/// Returns the rest of each line that begins with `start`.
fn lines<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.strip_prefix(start))
}

/// Runs a command of the transcript, with another port.
fn demo(words: &[String], shown: &str, port: &str) -> Process {
    assert_eq!(words[0], "target/debug/asyncio-streams");
    let mut command = host();
    command.current_dir(workspace());
    command.args(words[1..].iter().map(|word| word.replace(shown, port)));
    Process::start(command)
}

#[test]
fn the_denial_shown_is_the_one_printed() {
    let guides = Page::guides();
    let line = guides.command(&["asyncio-streams", "run"], "tcp-echo-client.wasm");
    assert_eq!(line[2..], ["target/components/tcp-echo-client.wasm"]);
    let denied = run(&[], "tcp-echo-client", &[]).end();
    assert_eq!(denied.code, Some(1));
    assert_eq!(denied.stderr, guides.block("text", "denied"));
    assert_eq!(denied.stdout, "");
}

#[test]
fn every_command_line_is_one_that_exists() {
    let help = Command::new("cargo")
        .args(["xtask", "--help"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for command in Page::guides().commands() {
        let line: Vec<&str> = command.iter().map(String::as_str).collect();
        match line[..] {
            // The tests of the applications run these.
            ["cargo", "new", "echo-server" | "echo-client"]
            | [
                "cargo",
                "build",
                "--target",
                "wasm32-unknown-unknown",
                "--release",
            ] => {}
            // The tests of the page for operators run these.
            ["asyncio-streams", "run", "--log-format" | "--dry-run", ..] => {}
            // The test of policy files runs these.
            ["asyncio-streams", "policy", ..] => {}
            ["openssl", "req", ..] | ["asyncio-streams", "run", "--tls-identity", ..] => {}
            // `cargo xtask` itself runs these to build the command.
            ["cargo", "build", "--workspace", "--exclude", "guests"]
            | ["export", "PATH=$PWD/target/debug:$PATH"] => {}
            ["cargo", "xtask", subcommand, ..] => {
                let start = format!("  {subcommand} ");
                let known = help
                    .lines()
                    .any(|line| format!("{line} ").starts_with(&start));
                assert!(known, "cargo xtask {subcommand}");
            }
            [
                "asyncio-streams",
                "compose",
                "--streams-component",
                "tcp",
                _,
                "-o",
                _,
            ] => {}
            ["asyncio-streams", ref args @ ..] => assert_parses(args),
            _ => panic!("nothing tests {command:?}"),
        }
    }
}

#[test]
fn the_commands_within_the_text_are_known() {
    let prose = Page::guides().prose();
    let starts = ["cargo ", "rustup ", "asyncio-streams "];
    for span in code_spans(&prose) {
        if !starts.iter().any(|start| span.starts_with(start)) {
            continue;
        }
        match words(span).iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["cargo", "xtask"]
            | ["cargo", "xtask", "bench" | "echo" | "setup"]
            | ["cargo", "install", "--locked", "--path", "cli"]
            | ["rustup", "target", "add", "wasm32-unknown-unknown"] => {}
            [
                "cargo",
                "doc",
                "--open",
                "--no-deps",
                "--package",
                package,
                "--lib",
            ] => {
                let known = ["asyncio-streams", "asyncio-streams-host"];
                assert!(known.contains(&package), "{package}");
            }
            _ => panic!("nothing tests `{span}`"),
        }
    }
}

/// Runs the command line with a program that only prints its arguments.
fn assert_parses(args: &[&str]) {
    let probe = component("probe");
    let mut command = host();
    for arg in args {
        if arg.ends_with(".wasm") {
            command.arg(&probe);
        } else {
            command.arg(arg);
        }
    }
    Process::start(command).success();
}

#[test]
fn every_option_named_is_one_of_the_command() {
    let output = host().args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let explain = host()
        .args(["policy", "explain", "--help"])
        .output()
        .unwrap();
    let help = help + &String::from_utf8(explain.stdout).unwrap();
    let prose = Page::guides().prose() + &Page::read("SECURITY.md").prose();
    let options: BTreeSet<&str> = code_spans(&prose)
        .into_iter()
        .filter(|span| span.starts_with("--"))
        .filter_map(|span| span.split([' ', '=']).next())
        .collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(
            [" ", "\n", "["]
                .iter()
                .any(|end| help.contains(&format!("{option}{end}"))),
            "{option}"
        );
    }
}

#[test]
fn each_protection_that_security_md_claims_has_a_test() {
    let page = Page::read("SECURITY.md");
    let attacks = ["## A hostile guest", "## A hostile peer"];
    let rows: Vec<_> = attacks.into_iter().flat_map(|at| page.rows(at)).collect();
    let folders = ["tests", "host/src", "src", "cli/src"];
    let rust = folders.map(|folder| sources(folder, "rs")).concat();
    let python = sources("python/tests", "py");
    let mut checked = 0;
    for row in rows.iter().filter(|row| row[1] != "protection") {
        let names = code_spans(&row[2]);
        assert!(!names.is_empty(), "no test for {row:?}");
        for name in names {
            let (test, check) = (format!("fn {name}("), format!("async def {name}("));
            let exists = rust.contains(&test) || python.contains(&check);
            assert!(exists, "{name} of SECURITY.md is no test");
            checked += 1;
        }
    }
    assert!(checked > 50);
}

/// A new version of wasmtime asks for another look at its advisories.
#[test]
fn security_md_names_the_version_of_wasmtime() {
    let lock = text("Cargo.lock");
    let (_, package) = lock.split_once("\nname = \"wasmtime\"\n").unwrap();
    let version = package.lines().next().unwrap();
    let version = version.trim_start_matches("version = ").trim_matches('"');
    let named = format!("wasmtime's, at version {version},");
    assert!(text("SECURITY.md").contains(&named), "{named}");
}

#[test]
fn the_permission_table_is_what_the_policy_does() {
    let rows = Page::read("docs/permissions.md").rows("## Rules and what they permit");
    assert!(rows.len() > 10);
    for row in &rows[1..] {
        let [option, permits, denies] = &row[..] else {
            panic!("{row:?}");
        };
        let option = words(code_spans(option)[0]);
        assert_parses(&["run", &option[0], &option[1], "probe.wasm"]);
        let policy = policy(&option[0], &option[1]);
        for (cell, expected) in [(permits, true), (denies, false)] {
            for span in code_spans(cell) {
                assert_eq!(
                    allows(&policy, &option[0], span),
                    expected,
                    "{option:?}: {span}"
                );
            }
        }
    }
}

#[test]
fn the_rules_in_the_readme_are_rules() {
    let rows = Page::read("README.md").rows("## Permissions");
    assert!(rows.len() > 4);
    for row in &rows[1..] {
        let option = words(code_spans(&row[0])[0]);
        assert_parses(&["run", &option[0], &option[1], "probe.wasm"]);
    }
}

fn policy(option: &str, rule: &str) -> Policy {
    let mut policy = Policy::new();
    match option {
        "--allow-connect" => policy.allow_connect(rule.parse().unwrap()),
        "--allow-listen" => policy.allow_listen(rule.parse().unwrap()),
        "--allow-resolve" => policy.allow_resolve(rule.parse().unwrap()),
        _ => panic!("{option}"),
    };
    policy
}

/// Returns true if the policy allows the request: a Unix socket, an address without a
/// look-up before, or the look-up of a name.
fn allows(policy: &Policy, option: &str, request: &str) -> bool {
    let unix = match request.strip_prefix('@') {
        Some(name) => Some(UnixName::abstract_name(name.as_bytes()).unwrap()),
        None if request.starts_with('/') => Some(UnixName::path(request.as_bytes()).unwrap()),
        None => None,
    };
    if let Some(name) = unix {
        return match option {
            "--allow-listen" => policy.decide_unix_listen(&name).is_ok(),
            _ => policy.decide_unix_connect(&name) == Decision::Allow,
        };
    }
    let Ok(address) = request.parse::<SocketAddr>() else {
        return policy.decide_lookup(&request.parse().unwrap()) == Decision::Allow;
    };
    let usage = if option == "--allow-listen" {
        Use::Bind
    } else {
        Use::Connect
    };
    policy.decide(usage, address, &Grants::default(), Instant::now()) == Decision::Allow
}

#[test]
fn a_name_grants_what_it_resolved_to_as_the_table_says() {
    let name: HostName = "example.com".parse().unwrap();
    let policy = policy("--allow-connect", "tcp://example.com:443");
    let now = Instant::now();
    let mut grants = Grants::default();
    grants.record(
        &name,
        &[
            "93.184.215.14".parse().unwrap(),
            "10.1.2.3".parse().unwrap(),
        ],
        now,
    );
    let decide = |address: &str, at| {
        policy.decide(Use::Connect, address.parse().unwrap(), &grants, at) == Decision::Allow
    };
    assert!(decide("93.184.215.14:443", now));
    assert!(!decide("93.184.215.14:443", now + GRANT_LIFETIME));
    assert!(!decide("10.1.2.3:443", now));
}

#[test]
fn the_exit_codes_are_those_of_the_table() {
    let rows = Page::read("docs/writing-programs.md").rows("## Exit codes");
    let codes: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let expected = [
        "code",
        "0",
        "1",
        "2",
        "130, 143",
        "124, 125, 152",
        "134",
        "141",
        "other",
    ];
    // The tests of outputs see 141, and those of limits of time 124, 125 and 152.
    assert_eq!(codes, expected);
    assert_eq!(run(&[], "probe", &[]).end().code, Some(0));
    assert_eq!(run(&[], "tcp-echo-client", &[]).end().code, Some(1));
    assert_eq!(run(&["--no-such-option"], "probe", &[]).end().code, Some(2));
    let starved = run(&["--max-memory", "64KiB"], "probe", &[]).end();
    assert_eq!(starved.code, Some(134), "{starved:?}");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let flags = ["--allow-listen", "tcp://127.0.0.1:0", "--grace", "0s"];
        let mut server = run(&flags, "finishes", &["127.0.0.1", "0"]);
        let mut client = TcpStream::connect(server.listening()).unwrap();
        client.write_all(b"\n").unwrap();
        client.read_exact(&mut [0]).unwrap();
        server.signal(signal);
        assert_eq!(server.end().code, Some(code));
    }
}

#[test]
fn the_figures_are_those_of_the_code() {
    let page = Page::read("docs/limits.md");
    let sections = ["## In the streams", "## In the host"];
    let rows: Vec<_> = sections.into_iter().flat_map(|at| page.rows(at)).collect();
    let figure = |start: &str| {
        let mut found = rows.iter().filter(|row| row[0].starts_with(start));
        let row = found
            .next()
            .unwrap_or_else(|| panic!("no figure for {start}"));
        assert!(found.next().is_none(), "two figures for {start}");
        row[1].as_str()
    };
    let limits = Limits::default();
    assert_eq!(figure("sockets, TCP and Unix"), limits.sockets.to_string());
    assert_eq!(
        figure("memory: see"),
        format!("{} GiB", limits.memory >> 30)
    );
    assert_eq!(
        figure("instances of modules, tables"),
        format!(
            "{}, {}, {}",
            limits.instances, limits.tables, limits.memories
        )
    );
    assert_eq!(figure("TLS contexts"), limits.tls_contexts.to_string());
    assert_eq!(figure("files of Unix"), limits.unix_files.to_string());
    assert_eq!(figure("handles"), limits.handles.to_string());
    assert_eq!(figure("tasks"), limits.concurrent.to_string());
    assert_eq!(figure("resources"), limits.resources.to_string());
    assert_eq!(
        figure("when the program"),
        format!("{} s", DEFAULT_LINGER.as_secs())
    );
    assert_eq!(
        figure("after SIGINT"),
        format!("{} s", DEFAULT_GRACE.as_secs())
    );
    let minutes = GRANT_LIFETIME.as_secs() / 60;
    assert_eq!(
        figure("a program may connect"),
        format!("{minutes} minutes")
    );
    // These are private constants.
    let guest = sources("src", "rs");
    let host = sources("host/src", "rs");
    for (start, shown, code, line) in [
        (
            "a line",
            "64 KiB",
            &guest,
            "DEFAULT_LIMIT: usize = 64 * 1024;",
        ),
        ("received", "256 KiB", &guest, "LARGE: usize = 256 * 1024;"),
        (
            "`drain`",
            "64 KiB",
            &guest,
            "DEFAULT_HIGH: usize = 64 * 1024;",
        ),
        (
            "`write`",
            "64 MiB",
            &guest,
            "WRITE_HARD_LIMIT: usize = 64 * 1024 * 1024;",
        ),
        ("connections a server", "16", &guest, "PENDING: usize = 16;"),
        (
            "connections waiting",
            "100",
            &guest,
            "DEFAULT_BACKLOG: u32 = 100;",
        ),
        (
            "after the end",
            "5 s",
            &guest,
            "LINGER: Duration = Duration::from_secs(5);",
        ),
        (
            "at its end",
            "5 s",
            &guest,
            "LINGER: std::time::Duration = std::time::Duration::from_secs(5);",
        ),
        ("look-ups", "16", &host, "LOOKUPS: usize = 16;"),
        (
            "printed and not written",
            "64 MiB",
            &guest,
            "WRITE_HARD_LIMIT: usize = 64 * 1024 * 1024;",
        ),
        (
            "standard output and",
            "1 MiB",
            &host,
            "BUFFER: usize = 1024 * 1024;",
        ),
        (
            "messages of the command",
            "64 KiB",
            &host,
            "RESERVE: usize = 64 * 1024;",
        ),
    ] {
        assert!(figure(start).contains(shown), "{start}");
        assert!(
            code.contains(line),
            "no file has `{line}`: does docs/limits.md still say so?"
        );
    }
}

#[test]
fn the_code_is_formatted() {
    let guides = Page::guides();
    for label in guides.labels("rust") {
        formatted(guides.block("rust", label), label);
    }
    // Documentation tests of the host.
    for code in guides.texts("rust,no_run") {
        formatted(code, "docs/embedding.md");
    }
}

/// Fails if rustfmt would change the code.
fn formatted(code: &str, label: &str) {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--check", "--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    rustfmt
        .stdin
        .take()
        .unwrap()
        .write_all(code.as_bytes())
        .unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    // With standard input, rustfmt exits with 0 even if it would change the code.
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{label}");
}

/// Returns every page for readers: those at the root, in docs/ and in python/.
fn pages() -> Vec<String> {
    let mut pages = vec!["python/README.md".to_owned()];
    for folder in ["", "docs/"] {
        for entry in fs::read_dir(workspace().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}{name}"));
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn every_page_in_docs_is_tested() {
    // These pages have tests of their own, or only prose.
    let others = [
        "docs/architecture.md",
        "docs/asyncio.md",
        "docs/conformance.md",
        "docs/decisions.md",
        "docs/performance.md",
    ];
    for page in pages() {
        let known = GUIDES.contains(&page.as_str()) || others.contains(&page.as_str());
        assert!(known || !page.starts_with("docs/"), "nothing tests {page}");
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() > 12, "{pages:?}");
    for page in &pages {
        let folder = Path::new(page).parent().unwrap();
        for link in Page::read(page).prose().split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => workspace().join(page),
                _ => workspace().join(folder).join(file),
            };
            assert!(target.exists(), "{page}: {link}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(headings.any(|at| slug(at) == anchor), "{page}: {link}");
            }
        }
    }
}

/// Returns the anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn the_readme_is_short() {
    let lines = text("README.md").lines().count();
    assert!(lines <= 200, "{lines} lines: move some to docs/");
}

#[test]
fn the_benchmark_in_the_readme_is_that_of_the_results() {
    let results = text("benches/results.md");
    let readme = text("README.md");
    let measured = results
        .split(" on ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(readme.contains(&format!("measured on {measured} by")));

    let page = Page::read("benches/results.md");
    let all = page.rows("## CPU: the server's, per operation");
    let shown = Page::read("README.md").rows("## How fast");
    let peers = [
        ("epoll loop", "raw-epoll"),
        ("tokio", "tokio"),
        ("uvloop", "uvloop"),
        ("CPython", "asyncio"),
        ("linked", "static"),
        ("composed", "composed"),
    ];
    let columns: Vec<usize> = shown[0][1..]
        .iter()
        .map(|title| {
            let (_, peer) = peers.iter().find(|(known, _)| known == title).unwrap();
            all[0].iter().position(|column| column == peer).unwrap()
        })
        .collect();
    assert_eq!(columns.len(), peers.len());
    assert!(shown.len() > 6);
    for row in &shown[1..] {
        let found = all.iter().find(|result| result[0] == row[0]);
        let result = found.unwrap_or_else(|| panic!("no result for {}", row[0]));
        let figures: Vec<_> = columns.iter().map(|at| &result[*at]).collect();
        assert_eq!(row[1..].iter().collect::<Vec<_>>(), figures, "{}", row[0]);
    }
}

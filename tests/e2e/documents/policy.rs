//! Writes the policy file that the page on permissions shows, and runs the commands about it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::host;
use super::page::{Page, words};
use crate::support::{Ended, Process, component};

fn in_folder(folder: &Path, args: &[String]) -> Ended {
    let mut command = host();
    command.current_dir(folder).args(args);
    Process::start(command).end()
}

#[test]
fn the_commands_about_policy_files_print_what_is_shown() {
    let page = Page::read("docs/permissions.md");
    let folder = tempfile::tempdir().unwrap();
    let file = page.block("toml", "policy.toml");
    fs::write(folder.path().join("policy.toml"), file).unwrap();
    let lines = page.commands().into_iter();
    let lines = lines
        .filter(|line| line.get(1).is_some_and(|word| word == "policy") && line[2] != "schema");
    let ended: Vec<_> = lines
        .map(|line| in_folder(folder.path(), &line[1..]))
        .collect();
    let expected = [
        ("policy-check", 0),
        ("policy-allowed", 0),
        ("policy-denied", 1),
    ];
    assert_eq!(ended.len(), expected.len());
    for (ended, (label, code)) in ended.iter().zip(expected) {
        assert_eq!(ended.stdout, page.block("text", label), "{ended:?}");
        assert_eq!(ended.stderr, "", "{label}");
        assert_eq!(ended.code, Some(code), "{label}");
    }
}

#[test]
fn a_program_runs_with_the_rules_of_a_policy_file() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let program = component("connect").display().to_string();
    let run = |options: &str| {
        let mut args = words(&format!("run {options}"));
        args.extend([program.clone(), "127.0.0.1".to_owned(), port.clone()]);
        in_folder(folder.path(), &args)
    };
    let rule = format!("tcp://127.0.0.1:{port}");
    let file = format!("[program.client]\nallow-connect = ['{rule}']\n");
    fs::write(folder.path().join("allow.toml"), file).unwrap();
    fs::write(
        folder.path().join("deny.toml"),
        format!("include = 'allow.toml'\ndeny-connect = '{rule}'\n"),
    )
    .unwrap();

    let allowed = run("--policy allow.toml --policy-program client");
    assert_eq!(allowed.stdout, "connected\n", "{allowed:?}");
    let common = run("--policy allow.toml");
    assert!(common.stderr.contains("no rule allows it"), "{common:?}");
    for options in [
        "--policy deny.toml --policy-program client".to_owned(),
        format!("--policy deny.toml --allow-connect {rule}"),
    ] {
        let denied = run(&options);
        assert_eq!(denied.code, Some(1), "{denied:?}");
        assert!(denied.stderr.contains("denies it"), "{denied:?}");
    }
    let unknown = run("--policy allow.toml --policy-program server");
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("there are: client"), "{unknown:?}");
}

#[test]
fn a_limit_on_the_command_line_wins_over_one_in_a_policy_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = "allow-listen = 'tcp://127.0.0.1:*'\nmax-sockets = 0\n";
    fs::write(folder.path().join("policy.toml"), file).unwrap();
    let program = component("listens").display().to_string();
    let run = |options: &str| {
        let mut args = words(&format!("run --policy policy.toml{options}"));
        args.extend([program.clone(), "127.0.0.1".to_owned()]);
        in_folder(folder.path(), &args)
    };
    let limited = run("");
    let message = "the limit of sockets is 0";
    assert!(limited.stderr.contains(message), "{limited:?}");
    assert_eq!(limited.code, Some(1), "{limited:?}");
    let allowed = run(" --max-sockets 10");
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
}

#[test]
fn the_schema_is_json_and_knows_the_keys_of_the_page() {
    let page = Page::read("docs/permissions.md");
    let commands = page.commands();
    let line = commands
        .iter()
        .find(|line| line[1..] == ["policy", "schema"]);
    let ended = in_folder(Path::new("."), &line.unwrap()[1..]);
    let schema: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    for line in page.block("toml", "policy.toml").lines() {
        if let Some((key, _)) = line.split_once(" = ") {
            assert!(schema["properties"][key].is_object(), "{key}");
        }
    }
}

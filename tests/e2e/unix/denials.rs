//! Checks that a denial is an error in the program, and that the host names what would
//! permit it. With exactly that the program works.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::{FORMS, Folder, connecting, listening};
use crate::support::{Ended, Process, run};

/// The end of the program's message for a denied operation.
const DENIED: &str =
    "permission denied by the host's policy or by the operating system; the host's log says which";

/// Checks that the program was denied this (`connect to`, `listen on`) at the path, for
/// this reason. Returns what the host says would permit it.
fn denied(ended: &Ended, what: &str, path: &str, reason: &str) -> String {
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), ""),
        "{ended:?}"
    );
    let guest = format!("error: {what} unix:{path}: {DENIED}");
    let host = format!("asyncio-streams: denied: {what} unix://");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [line, error] = lines[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(error, guest);
    assert!(line.starts_with(&host), "{line}");
    let said = line.strip_prefix(&host).unwrap();
    let (denied, remedy) = said.split_once("; ").expect(line);
    let (_, why) = denied.split_once(": ").expect(line);
    assert_eq!(why, reason);
    remedy.to_owned()
}

/// Returns the option in a remedy, with its rule.
fn option(remedy: &str) -> &str {
    remedy.strip_prefix("allow it with ").expect(remedy)
}

/// Splits a flag and its rule into words.
fn words(flag: &str) -> Vec<&str> {
    flag.split(' ').collect()
}

fn connect(flags: &[&str], form: &str, path: &str) -> Process {
    run(flags, form, &["connect", path])
}

fn is_connected(process: Process) {
    let printed = process.success();
    assert!(printed.starts_with("connected\n"), "{printed}");
}

fn serve(flags: &[&str], form: &str, path: &str) -> Process {
    run(flags, form, &["serve", path])
}

/// Waits until the program serves, and stops it.
fn is_serving(mut process: Process, path: &str) {
    process.wait_for(&format!("listening on unix:{path}"));
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn a_denied_connect_is_an_error_and_the_flag_that_the_host_names_allows_it() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let elsewhere = connecting(&folder.at("b.sock"));
    let to_listen = listening(&path);
    let above = connecting(&folder.0.path().with_file_name("*").display().to_string());
    for form in FORMS {
        for flags in [&[][..], &[elsewhere.as_str()], &[&to_listen], &[&above]] {
            let ended = connect(flags, form, &path).end();
            let remedy = denied(&ended, "connect to", &path, "no rule allows it");
            let flag = option(&remedy);
            assert_eq!(flag, format!("--allow-connect unix://{path}"));
            is_connected(connect(&words(flag), form, &path));
        }
    }
}

#[test]
fn a_denied_listen_is_an_error_and_the_flag_that_the_host_names_allows_it() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let elsewhere = listening(&folder.at("b*"));
    let to_connect = connecting(&path);
    for form in FORMS {
        for flags in [&[][..], &[elsewhere.as_str()], &[&to_connect]] {
            let ended = serve(flags, form, &path).end();
            let remedy = denied(&ended, "listen on", &path, "no rule allows it");
            let flag = option(&remedy);
            assert_eq!(flag, format!("--allow-listen unix://{path}"));
            assert!(!folder.path("a.sock").exists());
            is_serving(serve(&words(flag), form, &path), &path);
        }
    }
}

#[test]
fn a_denial_by_a_deny_rule_names_the_rule_to_remove() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let all = connecting(&folder.at("*"));
    for form in FORMS {
        let rule = format!("unix://{path}");
        let flags = [&all, "--deny-connect", &rule];
        let ended = connect(&flags, form, &path).end();
        let reason = format!("the rule {rule} denies it");
        let remedy = denied(&ended, "connect to", &path, &reason);
        assert_eq!(remedy, format!("remove --deny-connect {rule}"));
        is_connected(connect(&[&all], form, &path));
    }
}

#[test]
fn a_pattern_grants_its_folder_and_nothing_below() {
    let folder = Folder::new();
    fs::create_dir(folder.path("below")).unwrap();
    let (here, below) = (folder.at("a.sock"), folder.at("below/a.sock"));
    let _listeners = [&here, &below].map(|path| UnixListener::bind(path).unwrap());
    let all = connecting(&folder.at("*.sock"));
    for form in FORMS {
        is_connected(connect(&[&all], form, &here));
        let ended = connect(&[&all], form, &below).end();
        denied(&ended, "connect to", &below, "no rule allows it");
    }
}

#[test]
fn a_path_with_parent_folders_in_it_is_denied_wherever_it_leads() {
    let folder = Folder::new();
    fs::create_dir(folder.path("below")).unwrap();
    let (plain, winding) = (folder.at("a.sock"), folder.at("below/../a.sock"));
    let reason = "no rule covers a path with `..` in it";
    let listener = UnixListener::bind(&plain).unwrap();
    let flags = [connecting(&plain), connecting(&folder.at("below/*"))];
    let flags = flags.each_ref().map(String::as_str);
    for form in FORMS {
        let ended = connect(&flags, form, &winding).end();
        let remedy = denied(&ended, "connect to", &winding, reason);
        assert_eq!(remedy, "use the path without `..`");
        is_connected(connect(&flags, form, &plain));
    }
    drop(listener);
    fs::remove_file(&plain).unwrap();
    let flags = [listening(&plain), listening(&folder.at("below/*"))];
    let flags = flags.each_ref().map(String::as_str);
    for form in FORMS {
        let ended = serve(&flags, form, &winding).end();
        let remedy = denied(&ended, "listen on", &winding, reason);
        assert_eq!(remedy, "use the path without `..`");
        is_serving(serve(&flags, form, &plain), &plain);
    }
}

/// A link in a granted folder leads to a socket outside, or to nothing.
#[test]
fn no_link_leads_out_of_a_granted_folder() {
    let (granted, outside) = (Folder::new(), Folder::new());
    let (link, target) = (granted.at("a.sock"), outside.at("secret.sock"));
    let listener = UnixListener::bind(&target).unwrap();
    listener.set_nonblocking(true).unwrap();
    symlink(&target, &link).unwrap();
    for form in FORMS {
        let flags = [connecting(&granted.at("*")), listening(&granted.at("*"))];
        let flags = flags.each_ref().map(String::as_str);
        for (what, process) in [
            ("connect to", connect(&flags, form, &link)),
            ("listen on", serve(&flags, form, &link)),
        ] {
            let ended = process.end();
            let remedy = denied(&ended, what, &link, "the path is a symbolic link");
            let flag = match what {
                "connect to" => "--allow-connect",
                _ => "--allow-listen",
            };
            let rule = format!("unix://{target}");
            assert_eq!(
                remedy,
                format!("use the path that it leads to, {rule}, and allow that with {flag} {rule}")
            );
            assert_eq!(fs::read_link(&link).unwrap(), outside.path("secret.sock"));
        }
        // The listener has not even seen a probe.
        assert!(listener.accept().is_err());
        let rule = connecting(&target);
        is_connected(connect(&[&rule], form, &target));
        listener.accept().unwrap();
    }
    drop(listener);
    fs::remove_file(&target).unwrap();
    for form in FORMS {
        let all = listening(&granted.at("*"));
        let ended = serve(&[&all], form, &link).end();
        denied(&ended, "listen on", &link, "the path is a symbolic link");
        assert!(!outside.path("secret.sock").exists());
        is_serving(serve(&[&listening(&target)], form, &target), &target);
    }
}

#[test]
fn a_link_to_a_granted_socket_is_denied_as_well_and_the_target_is_named() {
    let folder = Folder::new();
    let (link, target) = (folder.at("link"), folder.at("a.sock"));
    let _listener = UnixListener::bind(&target).unwrap();
    symlink("a.sock", &link).unwrap();
    let all = connecting(&folder.at("*"));
    for form in FORMS {
        let ended = connect(&[&all], form, &link).end();
        let remedy = denied(&ended, "connect to", &link, "the path is a symbolic link");
        assert!(remedy.contains(&format!("unix://{target}")), "{remedy}");
        is_connected(connect(&[&all], form, &target));
    }
}

#[test]
fn a_folder_may_be_a_link() {
    let folder = Folder::new();
    fs::create_dir(folder.path("real")).unwrap();
    symlink("real", folder.path("linked")).unwrap();
    let path = folder.at("linked/a.sock");
    for form in FORMS {
        is_serving(serve(&[&listening(&path)], form, &path), &path);
    }
    let _listener = UnixListener::bind(folder.path("real/a.sock")).unwrap();
    for form in FORMS {
        is_connected(connect(&[&connecting(&path)], form, &path));
    }
}

#[test]
fn an_abstract_name_needs_a_rule_of_its_own() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    let folder = Folder::new();
    let name = format!("asyncio-streams-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    // The program writes an abstract name with a zero byte in front.
    let place = format!("%00{name}");
    let paths = connecting(&folder.at("*"));
    for form in FORMS {
        for flags in [&[][..], &[&paths, "--allow-connect=unix:///*"]] {
            let ended = connect(flags, form, &place).end();
            let remedy = denied(
                &ended,
                "connect to",
                &format!("@{name}"),
                "no rule allows it",
            );
            let flag = option(&remedy);
            assert_eq!(flag, format!("--allow-connect unix://@{name}"));
            is_connected(connect(&words(flag), form, &place));
        }
        is_connected(connect(
            &["--allow-connect=unix://@asyncio-*"],
            form,
            &place,
        ));
    }
    drop(listener);
    for form in FORMS {
        let ended = serve(&["--allow-listen=unix:///*"], form, &place).end();
        let remedy = denied(
            &ended,
            "listen on",
            &format!("@{name}"),
            "no rule allows it",
        );
        let flag = option(&remedy);
        assert_eq!(flag, format!("--allow-listen unix://@{name}"));
        is_serving(serve(&words(flag), form, &place), &format!("@{name}"));
    }
}

#[test]
fn the_limit_of_sockets_counts_unix_sockets_and_pairs() {
    for form in FORMS {
        let ended = run(&["--max-sockets", "1"], form, &["pair", "-"]).end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let remedy = "denied: open another socket: the limit of sockets is 1; allow more with \
                      --max-sockets 2\n";
        assert!(ended.stderr.contains(remedy), "{ended:?}");
        run(&["--max-sockets", "2"], form, &["pair", "-"]).success();
    }
}

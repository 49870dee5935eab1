//! Checks that a denial is a clear error in the guest, and a line of the host that names
//! the flag to allow it. With exactly that flag the program works.

use std::net::TcpListener;

use crate::support::{Ended, Process, run};

const FORMS: [&str; 2] = ["", "-wit"];

/// The end of the guest's message for a denied operation.
const DENIED: &str =
    "denied by the host's policy; the host's log names the rule that would allow it";

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

/// Checks that the program failed with this message and that the host reported what was
/// denied. Returns the flag that would allow it.
fn denied(ended: &Ended, message: &str, what: &str) -> String {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    let start = format!("asyncio-streams: denied: {what}: ");
    let (mut host, guest): (Vec<&str>, Vec<&str>) = ended
        .stderr
        .lines()
        .partition(|line| line.starts_with("asyncio-streams: "));
    assert_eq!(guest, [format!("error: {message}: {DENIED}")]);
    assert_eq!(host.len(), 1, "{ended:?}");
    let line = host.remove(0);
    assert!(line.starts_with(&start), "{line}");
    line.split_once("; allow it with ")
        .expect(line)
        .1
        .to_owned()
}

/// Splits a flag and its rule into words.
fn words(flag: &str) -> Vec<&str> {
    flag.split(' ').collect()
}

fn connect(flags: &[&str], form: &str, args: &[&str]) -> Process {
    run(flags, &format!("connect{form}"), args)
}

#[test]
fn a_denied_connect_is_an_error_and_the_flag_that_the_host_names_allows_it() {
    let (_listener, port) = listener();
    let args = ["127.0.0.1", port.as_str()];
    for form in FORMS {
        let ended = connect(&[], form, &args).end();
        let what = format!("connect to 127.0.0.1:{port}");
        let flag = denied(&ended, &what, &what);
        assert_eq!(flag, format!("--allow-connect tcp://127.0.0.1:{port}"));
        assert_eq!(connect(&words(&flag), form, &args).success(), "connected\n");
    }
}

#[test]
fn a_rule_for_another_port_does_not_allow_a_connect() {
    let (_listener, port) = listener();
    let args = ["127.0.0.1", port.as_str()];
    for form in FORMS {
        let ended = connect(&["--allow-connect", "tcp://127.0.0.1:1"], form, &args).end();
        let what = format!("connect to 127.0.0.1:{port}");
        let flag = denied(&ended, &what, &what);
        assert_eq!(connect(&words(&flag), form, &args).success(), "connected\n");
    }
}

#[test]
fn a_denied_listen_is_an_error_and_the_flag_that_the_host_names_allows_it() {
    for form in FORMS {
        let server =
            |flags: &[&str]| run(flags, &format!("echo-server{form}"), &["127.0.0.1", "0"]);
        let ended = server(&[]).end();
        let flag = denied(&ended, "listen on 127.0.0.1:0", "bind to 127.0.0.1:0");
        assert_eq!(flag, "--allow-listen tcp://127.0.0.1:0");
        let address = server(&words(&flag)).listening();
        assert!(address.ip().is_loopback(), "{address}");
    }
}

#[test]
fn a_rule_to_connect_does_not_allow_to_listen() {
    for form in FORMS {
        let ended = run(
            &["--allow-connect", "tcp://127.0.0.1:*"],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        )
        .end();
        denied(&ended, "listen on 127.0.0.1:0", "bind to 127.0.0.1:0");
    }
}

#[test]
fn a_denied_look_up_is_an_error_and_either_flag_that_the_host_names_allows_it() {
    let (_listener, port) = listener();
    let address = format!("tcp://127.0.0.1:{port}");
    let args = ["localhost", port.as_str()];
    for form in FORMS {
        // A rule for an address does not allow to look up a name that resolves to it.
        let ended = connect(&["--allow-connect", &address], form, &args).end();
        let flags = denied(&ended, "lookup of \"localhost\"", "look up localhost");
        let (by_name, lookup) = flags.split_once(", or with ").unwrap();
        assert_eq!(by_name, "--allow-connect tcp://localhost:PORT");
        assert_eq!(lookup, "--allow-resolve localhost");

        let by_name = by_name.replace("PORT", &port);
        assert_eq!(
            connect(&words(&by_name), form, &args).success(),
            "connected\n"
        );
        let both = [words(lookup), vec!["--allow-connect", &address]].concat();
        assert_eq!(connect(&both, form, &args).success(), "connected\n");
    }
}

#[test]
fn a_rule_to_look_up_does_not_allow_to_connect() {
    // Localhost has only this address here, so there is one denial.
    let (_listener, port) = listener();
    for form in FORMS {
        let ended = connect(
            &["--allow-resolve", "localhost"],
            form,
            &["localhost", &port],
        )
        .end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = format!("asyncio-streams: denied: connect to 127.0.0.1:{port}: ");
        assert!(ended.stderr.contains(&line), "{ended:?}");
        assert!(ended.stderr.contains(DENIED), "{ended:?}");
    }
}

#[test]
fn an_explicit_bind_is_denied_without_a_rule_to_listen() {
    let (_listener, port) = listener();
    let rule = format!("tcp://127.0.0.1:{port}");
    let allowed = ["--allow-connect", rule.as_str()];
    let args = ["127.0.0.1", &port, "127.0.0.1", "0"];
    for form in FORMS {
        let ended = connect(&allowed, form, &args).end();
        let message = format!("connect to 127.0.0.1:{port} from 127.0.0.1:0");
        let flag = denied(&ended, &message, "bind to 127.0.0.1:0");
        assert_eq!(flag, "--allow-listen tcp://127.0.0.1:0");
        let both = [&allowed[..], &words(&flag)].concat();
        assert_eq!(connect(&both, form, &args).success(), "connected\n");
    }
}

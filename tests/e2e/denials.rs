//! Checks that a denial is a clear error in the guest, and a line of the host that names
//! the flag to allow it. With exactly that flag the program works.

mod battery;

use std::net::TcpListener;

use crate::support::{Ended, Process, run, run_apart};

const FORMS: [&str; 2] = ["", "-wit"];

/// The end of the guest's message for a denied operation.
const DENIED: &str =
    "permission denied by the host's policy or by the operating system; the host's log says which";

const LOOKUP_DENIED: &str =
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
    // The policy alone denies a look-up.
    let denied = match what.starts_with("look up") {
        true => LOOKUP_DENIED,
        false => DENIED,
    };
    assert_eq!(guest, [format!("error: {message}: {denied}")]);
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
fn a_denied_look_up_is_an_error_and_the_host_names_the_flags_for_connecting_and_listening() {
    for form in FORMS {
        let ended = connect(&[], form, &["a.invalid", "80"]).end();
        let flags = denied(&ended, "lookup of \"a.invalid\"", "look up a.invalid");
        let (connecting, listening) = flags.split_once(" or, to listen, with ").unwrap();
        assert_eq!(connecting, "--allow-connect tcp://a.invalid:PORT");
        let expected = "--allow-resolve a.invalid and --allow-listen tcp://ADDRESS:PORT";
        assert_eq!(listening, expected);
        // The look-up is made, and fails.
        for flag in [
            connecting.replace("PORT", "80"),
            "--allow-resolve a.invalid".into(),
        ] {
            let ended = connect(&words(&flag), form, &["a.invalid", "80"]).end();
            assert!(!ended.stderr.contains("denied"), "{ended:?}");
        }
    }
}

#[test]
fn localhost_needs_no_rule_but_that_of_its_address() {
    let (_listener, port) = listener();
    let address = format!("tcp://127.0.0.1:{port}");
    let args = ["localhost", port.as_str()];
    for form in FORMS {
        let allowed = connect(&["--allow-connect", &address], form, &args);
        assert_eq!(allowed.success(), "connected\n");
        let ended = connect(&[], form, &args).end();
        assert!(ended.stderr.contains("denied: connect to "), "{ended:?}");
        assert!(
            ended.stderr.contains("allow it with --allow-connect "),
            "{ended:?}"
        );

        let server =
            |flags: &[&str]| run(flags, &format!("echo-server{form}"), &["localhost", "0"]);
        for rule in ["tcp://*:0", "tcp://127.0.0.1:0", "tcp://localhost:0"] {
            let bound = server(&["--allow-listen", rule]).listening();
            assert!(bound.ip().is_loopback(), "{bound}");
        }
        let ended = server(&[]).end();
        assert!(
            ended.stderr.contains("allow it with --allow-listen tcp://"),
            "{ended:?}"
        );
        let ended = server(&["--allow-listen", "tcp://*:0", "--deny-resolve", "localhost"]).end();
        assert!(
            ended.stderr.contains("remove --deny-resolve localhost"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_port_that_the_system_does_not_permit_is_told_apart_from_one_that_no_rule_allows() {
    // Ports below this number need a capability that the command does not have.
    let script = "echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start && \
                  exec setpriv --bounding-set -net_bind_service \"$0\" \"$@\"";
    for form in FORMS {
        let ended = run_apart(
            script,
            &["--allow-listen", "tcp://127.0.0.1:80"],
            &format!("echo-server{form}"),
            &["127.0.0.1", "80"],
        );
        let Some(ended) = ended else {
            return;
        };
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let said = "denied: bind to 127.0.0.1:80: the operating system does not permit it; ";
        assert!(ended.stderr.contains(said), "{ended:?}");
        assert!(ended.stderr.contains(DENIED), "{ended:?}");
        assert!(!ended.stderr.contains("--allow"), "{ended:?}");
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

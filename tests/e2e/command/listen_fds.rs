//! Checks listeners that the command inherits from the process that starts it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Instant;

use super::{command, connect, exchange, expect};
use crate::support::{self, Ended, PATIENCE, Process, component, run, run_activated};

const FORMS: [&str; 2] = ["", "-wit"];

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Starts the guest with one inherited listener. The test keeps a duplicate.
fn start(form: &str, listener: &TcpListener, flags: &[&str]) -> Process {
    let handed = OwnedFd::from(listener.try_clone().unwrap());
    let variables = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "web")];
    let flags = [&["--listen-fds"], flags].concat();
    let name = format!("inherited{form}");
    run_activated(vec![handed], &variables, &flags, &name, &["web"])
}

/// Sends `who` and returns the answer.
fn who(mut connection: impl Read + Write) -> String {
    connection.write_all(b"who\n").unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer
}

fn finish(mut connection: TcpStream) {
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);
}

/// Checks that the command did not run the program, and returns its message.
fn refused(ended: Ended) -> String {
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{ended:?}"
    );
    ended.stderr
}

#[test]
fn listeners_of_both_kinds_are_served_by_name_and_without_a_rule() {
    for form in FORMS {
        let (tcp, address) = listener();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let unix = UnixListener::bind(&path).unwrap();
        let mut server = run_activated(
            vec![tcp.into(), unix.into()],
            &[("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "web:app")],
            &["--listen-fds"],
            &format!("inherited{form}"),
            &["app", "web"],
        );
        assert_eq!(server.wait_for("handed over: "), "web app");
        let unix = format!("unix:{}", path.display());
        assert_eq!(server.wait_for("listening on unix"), unix[4..]);
        assert_eq!(server.listening(), address);
        assert_eq!(server.wait_for("left:"), "");
        assert!(who(connect(address)).starts_with("web "));
        assert!(who(UnixStream::connect(&path).unwrap()).starts_with("app "));
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(fs::symlink_metadata(&path).is_ok(), "the file is not its");
    }
}

#[test]
fn a_name_may_be_given_to_several_and_is_unknown_where_none_is_given() {
    for form in FORMS {
        let ((one, first), (other, second)) = (listener(), listener());
        let mut server = run_activated(
            vec![one.into(), other.into()],
            &[("LISTEN_FDS", "2")],
            &["--listen-fds"],
            &format!("inherited{form}"),
            &["unknown", "unknown"],
        );
        assert_eq!(server.wait_for("handed over: "), "unknown unknown");
        assert_eq!([server.listening(), server.listening()], [first, second]);
        assert_ne!(who(connect(first)), who(connect(second)));
    }
}

#[test]
fn a_listener_is_taken_once() {
    for form in FORMS {
        let (listener, _) = listener();
        let ended = run_activated(
            vec![listener.into()],
            &[("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "web")],
            &["--listen-fds"],
            &format!("inherited{form}"),
            &["web", "web"],
        )
        .end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("error: web: "), "{ended:?}");
        assert!(!ended.stderr.contains("denied"), "{ended:?}");
    }
}

#[test]
fn a_listener_that_was_not_inherited_is_denied_with_the_option_that_passes_it() {
    for form in FORMS {
        let (listener, _) = listener();
        let variables = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "web")];
        let name = format!("inherited{form}");
        let flags = ["--listen-fds"];
        let other = run_activated(vec![listener.into()], &variables, &flags, &name, &["other"]);
        for (guest, asked) in [(other, "other"), (run(&[], &name, &["web"]), "web")] {
            let ended = guest.end();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            let line = format!(
                "asyncio-streams: denied: use the listener {asked}: it is not granted; allow it \
                 with --listen-fds, and a socket named {asked}\n"
            );
            assert!(ended.stderr.contains(&line), "{ended:?}");
            let line = format!("error: {asked}: permission denied by the host's policy");
            assert!(ended.stderr.contains(&line), "{ended:?}");
        }
    }
}

#[test]
fn a_listener_counts_as_a_socket() {
    let (listener, _) = listener();
    let ended = start("", &listener, &["--max-sockets", "0"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("--max-sockets 1"), "{ended:?}");
}

#[test]
fn a_server_that_is_stopped_leaves_connections_to_its_successor() {
    for form in FORMS {
        let (listener, address) = listener();
        let mut first = start(form, &listener, &[]);
        assert_eq!(first.listening(), address);
        let mut old = connect(address);
        exchange(&mut old, "hello\n");
        first.signal("TERM");
        first.wait_for("no longer serving");
        let mut new = connect(address);
        new.write_all(b"is anybody there?\n").unwrap();
        exchange(&mut old, "one more\n");
        finish(old);
        assert_eq!(first.end().code, Some(0));

        let second = start(form, &listener, &[]);
        expect(&mut new, "is anybody there?\n");
        finish(new);
        second.signal("TERM");
        assert_eq!(second.end().code, Some(0));
    }
}

#[test]
fn workers_share_an_inherited_listener() {
    for form in FORMS {
        let (listener, address) = listener();
        let mut server = start(form, &listener, &["--workers", "2"]);
        server.wait_for("left:");
        server.wait_for("left:");
        let deadline = Instant::now() + PATIENCE;
        let first = who(connect(address));
        while who(connect(address)) == first {
            assert!(Instant::now() < deadline, "one worker takes all clients");
        }
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let line = format!("listening on {address}\n");
        assert_eq!(ended.stderr.matches(&line).count(), 1, "{ended:?}");
    }
}

#[test]
fn a_listener_of_both_families_serves_both() {
    let Ok(listener) = TcpListener::bind("[::]:0") else {
        eprintln!("not checked: no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let mut server = start("", &listener, &[]);
    assert_eq!(server.listening().port(), port);
    for host in ["127.0.0.1", "[::1]"] {
        let address: SocketAddr = format!("{host}:{port}").parse().unwrap();
        assert!(who(connect(address)).starts_with("web "));
    }
}

#[test]
fn without_inherited_sockets_the_message_names_what_passes_them() {
    let probe = component("probe");
    let run_probe = || {
        let mut command = command(&["run", "--listen-fds"]);
        command.arg(&probe);
        command
    };
    let message = refused(Process::start(run_probe()).end());
    assert!(message.contains("inherited no sockets"), "{message}");
    assert!(message.contains("systemd-socket-activate"), "{message}");

    let mut other = run_probe();
    other.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let message = refused(Process::start(other).end());
    assert!(message.contains("for the process 1"), "{message}");
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused_with_its_name() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (end, _other) = UnixStream::pair().unwrap();
    let (listener, _) = listener();
    let handed = |socket: OwnedFd, count| {
        let variables = [("LISTEN_FDS", count), ("LISTEN_FDNAMES", "web:app")];
        let variables = &variables[..count.parse().unwrap()];
        let flags = ["--listen-fds"];
        refused(run_activated(vec![socket], variables, &flags, "probe", &[]).end())
    };
    for (socket, why) in [
        (OwnedFd::from(udp), "it is not a stream socket"),
        (end.into(), "it does not listen"),
    ] {
        let message = handed(socket, "1");
        assert!(
            message.contains("the socket `unknown` (descriptor 3)"),
            "{message}"
        );
        assert!(message.contains(why), "{message}");
        assert!(message.contains("ListenStream="), "{message}");
    }
    let message = handed(listener.into(), "2");
    assert!(
        message.contains("the socket `app` (descriptor 4)"),
        "{message}"
    );
    assert!(message.contains("it is not open"), "{message}");
}

#[test]
fn systemd_hands_sockets_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let mut activate = Command::new("systemd-socket-activate");
    if activate.arg("--version").output().is_err() {
        eprintln!("not checked: no systemd-socket-activate here");
        return;
    }
    let mut activate = Command::new("systemd-socket-activate");
    activate
        .arg(format!("--listen={}", path.display()))
        .args(["--fdname=app", "--setenv", support::CACHE])
        .arg(env!("CARGO_BIN_EXE_asyncio-streams"))
        .args(["run", "--listen-fds"])
        .arg(component("inherited"))
        .arg("app");
    let mut server = Process::start(activate);
    server.wait_for("Listening on ");
    let connection = UnixStream::connect(&path).unwrap();
    assert!(who(connection).starts_with("app "));
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
}

//! Checks the options that `asyncio:host` adds to sockets, as seen from outside.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::support::{PATIENCE, Process, run};

const FORMS: [&str; 2] = ["", "-wit"];
const FREE: &str = "--allow-listen=tcp://127.0.0.1:0";

/// Returns the rule that names this address.
fn named(address: SocketAddr) -> String {
    format!("--allow-listen=tcp://{address}")
}

/// Starts a server that shares this address.
fn sharing(form: &str, flag: &str, name: &str, address: SocketAddr) -> Process {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    run(&[flag], &format!("shares{form}"), &[name, &host, &port])
}

/// Connects, and returns the name of the server that answers.
fn answer(address: SocketAddr) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut name = String::new();
    client.read_to_string(&mut name).unwrap();
    name
}

fn shared_by_both(form: &str, host: &str) {
    let free = format!("{host}:0").parse().unwrap();
    let mut first = sharing(form, &named(free), "first", free);
    let address = first.listening();
    let mut second = sharing(form, &named(address), "second", address);
    assert_eq!(second.listening(), address);
    let deadline = Instant::now() + PATIENCE;
    let mut answers = BTreeSet::new();
    while answers.len() < 2 {
        assert!(Instant::now() < deadline, "only {answers:?} answers");
        answers.insert(answer(address));
    }
    assert!(answers.contains("first") && answers.contains("second"));
    // The remaining server gets all connections.
    first.signal("KILL");
    first.end();
    assert_eq!(answer(address), "second");
}

#[test]
fn ss12_programs_that_share_a_port_get_connections_each() {
    for form in FORMS {
        shared_by_both(form, "127.0.0.1");
    }
}

#[test]
fn l30_ports_are_shared_on_ipv6_as_well() {
    for form in FORMS {
        shared_by_both(form, "[::1]");
    }
}

#[test]
fn ss12_a_port_is_taken_unless_both_programs_share_it() {
    for form in FORMS {
        let alone = |flag: &str, port: u16| {
            let args = ["127.0.0.1", &port.to_string()];
            run(&[flag], &format!("echo-server{form}"), &args)
        };
        let free = "127.0.0.1:0".parse().unwrap();
        let taken = |second: Process| {
            let ended = second.end();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stderr.contains("address already in use"), "{ended:?}");
        };
        let mut first = sharing(form, FREE, "first", free);
        let address = first.listening();
        taken(alone(&named(address), address.port()));

        let mut first = alone(FREE, 0);
        let address = first.listening();
        taken(sharing(form, &named(address), "second", address));
    }
}

#[test]
fn a_port_of_another_program_is_shared_only_if_a_rule_names_it() {
    for form in FORMS {
        let mut first = sharing(form, FREE, "first", "127.0.0.1:0".parse().unwrap());
        let address = first.listening();
        let any = "--allow-listen=tcp://127.0.0.1:*";
        let ended = sharing(form, any, "second", address).end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = format!(
            "asyncio-streams: denied: share {address}: a shared port needs a rule with exactly this \
             port; allow it with --allow-listen tcp://{address}\n"
        );
        assert!(ended.stderr.contains(&line), "{ended:?}");
        assert_eq!(answer(address), "first");
    }
}

#[test]
fn a_port_that_a_program_once_had_is_not_its_own_to_share() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port().to_string();
    let flags = [
        "--allow-connect=tcp://127.0.0.1:*",
        "--allow-listen=tcp://127.0.0.77:*",
    ];
    let program = run(&flags, "tcp-options", &["returns", &port]);
    let (mut connection, _) = peer.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&connection).read_line(&mut line).unwrap();
    let port: u16 = line.trim_end().parse().unwrap();

    let victim = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    rustix::net::sockopt::set_socket_reuseport(&victim, true).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 77], port));
    victim.bind(&address.into()).unwrap();
    victim.listen(1).unwrap();
    connection.write_all(b"go\n").unwrap();
    assert_eq!(program.success(), "Err(ErrorCode::AccessDenied)\n");
}

#[test]
fn ss12_in_hosts_with_nothing_but_wasi_sharing_is_not_supported() {
    let flags = [FREE, "--streams-component", "tcp"];
    let ended = run(&flags, "shares-wit", &["first", "127.0.0.1", "0"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("reuse-port"), "{ended:?}");
    assert!(ended.stderr.contains("variant `full`"), "{ended:?}");
    assert!(!ended.stderr.contains("listening"), "{ended:?}");

    let mut server = run(&flags, "echo-server-wit", &["127.0.0.1", "0"]);
    TcpStream::connect(server.listening()).unwrap();
}

#[test]
fn a_reset_reaches_the_peer_and_each_state_permits_what_the_wit_says() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port().to_string();
    let flags = ["--allow-connect=tcp://127.0.0.1:*", FREE];
    let program = run(&flags, "tcp-options", &["states", &port]);
    let (mut connection, _) = peer.accept().unwrap();
    let mut sent = [0];
    connection.read_exact(&mut sent).unwrap();
    assert_eq!(&sent, b"x");
    let reset = connection.read(&mut [0]).unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(
        program.success(),
        "\
new: reuse-address ok, reuse-port ok, no-delay ok, reset InvalidState
connecting: reuse-address InvalidState, reuse-port InvalidState, no-delay InvalidState, reset InvalidState
connected: reuse-address InvalidState, reuse-port InvalidState, no-delay ok, reset ok
received Err(ErrorCode::ConnectionAborted), sent Err(ErrorCode::ConnectionAborted)
reset: reuse-address InvalidState, reuse-port InvalidState, no-delay ConnectionAborted, reset InvalidState
bound: reuse-address InvalidState, reuse-port InvalidState, no-delay ok, reset InvalidState
listening: reuse-address InvalidState, reuse-port InvalidState, no-delay ok, reset InvalidState
failed: reuse-address InvalidState, reuse-port InvalidState, no-delay ConnectionRefused, reset InvalidState
"
    );
}

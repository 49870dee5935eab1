//! Runs our servers with CPython's asyncio clients, and our clients with CPython's
//! servers: many connections at once in one instance, every kind of address,
//! half-closing.

use std::net::{SocketAddr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Process, python, run};

const FORMS: [&str; 2] = ["", "-wit"];

const CONNECTIONS: &str = "100";
const BYTES: &str = "1048576";
/// More than the kernel's buffers hold, so that the slow connection blocks its sender.
const SLOW_BYTES: &str = "16777216";

const ECHO_CLIENTS: &str = include_str!("peers/echo_clients.py");
const ECHO_SERVER: &str = include_str!("peers/echo_server.py");
const ANSWER_CLIENT: &str = include_str!("peers/answer_client.py");
const ANSWER_SERVER: &str = include_str!("peers/answer_server.py");

/// Returns another seed each time, and prints it, so that a failure can be repeated.
fn seed() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.subsec_nanos().to_string();
    println!("seed {seed}");
    seed
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn echo_server(form: &str, rule: &str, hosts: &[&str]) -> Process {
    let args = [hosts, &["0"]].concat();
    run(
        &["--allow-listen", rule],
        &format!("echo-server{form}"),
        &args,
    )
}

/// Runs CPython's clients, which fail unless they get back what they send.
fn cpython_clients(host: &str, port: u16, connections: &str, bytes: &str, slow_bytes: &str) {
    let port = port.to_string();
    let args = [host, &port, connections, bytes, slow_bytes, &seed()];
    let printed = python(ECHO_CLIENTS, &args).success();
    println!("{printed}");
    assert!(printed.ends_with("all done\n"), "{printed}");
}

/// Runs one CPython client with a little data, to see that the address works.
fn cpython_client(address: SocketAddr) {
    cpython_clients(&address.ip().to_string(), address.port(), "1", "1000", "0");
}

/// Runs our clients, which fail unless they get back what they send.
fn our_clients(form: &str, rules: &[String], host: &str, port: &str, amount: &[&str]) {
    let flags: Vec<&str> = rules
        .iter()
        .flat_map(|rule| ["--allow-connect", rule.as_str()])
        .collect();
    let (count, bytes, slow) = match *amount {
        [count, bytes, slow] => (count, bytes, slow),
        _ => ("1", "1000", "0"),
    };
    let args = [host, port, count, bytes, &seed(), slow];
    let printed = run(&flags, &format!("echo-clients{form}"), &args).success();
    assert_eq!(printed, "others done\nall done\n");
}

fn a_hundred_cpython_clients(form: &str) {
    let mut server = echo_server(form, "tcp://127.0.0.1:0", &["127.0.0.1"]);
    let port = server.listening().port();
    cpython_clients("127.0.0.1", port, CONNECTIONS, BYTES, SLOW_BYTES);
    server.signal("TERM");
    assert_eq!(
        server.end().stderr,
        format!("listening on 127.0.0.1:{port}\n")
    );
}

fn a_hundred_cpython_clients_on_a_unix_socket(form: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("echo");
    let path = file.to_str().unwrap();
    let name = format!("echo-server-unix{form}");
    let mut server = run(
        &["--allow-listen", &format!("unix://{path}")],
        &name,
        &[path],
    );
    server.wait_for("listening on ");
    cpython_clients(path, 0, CONNECTIONS, BYTES, SLOW_BYTES);
    server.signal("TERM");
    assert_eq!(server.end().stderr, format!("listening on unix:{path}\n"));
    assert!(!file.exists());
}

fn a_hundred_clients_of_cpython(form: &str) {
    let mut server = python(ECHO_SERVER, &["127.0.0.1"]);
    let port = server.wait_for("port ");
    let rule = format!("tcp://127.0.0.1:{port}");
    let amount = [CONNECTIONS, BYTES, SLOW_BYTES];
    our_clients(form, &[rule], "127.0.0.1", &port, &amount);
}

#[test]
fn a_static_server_echoes_to_100_cpython_clients_one_of_them_slow() {
    a_hundred_cpython_clients("");
}

#[test]
fn a_composed_server_echoes_to_100_cpython_clients_one_of_them_slow() {
    a_hundred_cpython_clients("-wit");
}

#[test]
fn a_static_server_on_a_unix_socket_echoes_to_100_cpython_clients_one_of_them_slow() {
    a_hundred_cpython_clients_on_a_unix_socket("");
}

#[test]
fn a_composed_server_on_a_unix_socket_echoes_to_100_cpython_clients_one_of_them_slow() {
    a_hundred_cpython_clients_on_a_unix_socket("-wit");
}

#[test]
fn a_hundred_static_clients_one_of_them_slow_get_their_echo_from_cpython() {
    a_hundred_clients_of_cpython("");
}

#[test]
fn a_hundred_composed_clients_one_of_them_slow_get_their_echo_from_cpython() {
    a_hundred_clients_of_cpython("-wit");
}

#[test]
fn a_server_reads_a_cpython_client_to_its_end_and_then_answers() {
    for form in FORMS {
        let mut server = run(
            &["--allow-listen", "tcp://127.0.0.1:0"],
            &format!("answer-server{form}"),
            &["127.0.0.1", "0"],
        );
        let port = server.listening().port().to_string();
        for question in ["why?", "and why not?"] {
            let answer = python(ANSWER_CLIENT, &[&port, question]).success();
            assert_eq!(answer, format!("answer to {question}\n"));
        }
    }
}

#[test]
fn a_client_ends_its_side_and_then_reads_the_answer_of_a_cpython_server() {
    let mut server = python(ANSWER_SERVER, &[]);
    let port = server.wait_for("port ");
    let rule = format!("tcp://127.0.0.1:{port}");
    for form in FORMS {
        let client = run(
            &["--allow-connect", &rule],
            &format!("answer-client{form}"),
            &["127.0.0.1", &port, "why?"],
        );
        assert_eq!(client.success(), "answer to why?\n");
    }
}

#[test]
fn clients_and_servers_speak_ipv6() {
    if !has_ipv6() {
        println!("this machine has no IPv6");
        return;
    }
    let mut cpython = python(ECHO_SERVER, &["::1"]);
    let port = cpython.wait_for("port ");
    for form in FORMS {
        let mut server = echo_server(form, "tcp://[::1]:0", &["::1"]);
        cpython_client(server.listening());
        let rule = format!("tcp://[::1]:{port}");
        our_clients(form, &[rule], "::1", &port, &[]);
    }
}

#[test]
fn a_rule_with_a_name_lets_a_client_look_it_up_and_connect() {
    let mut server = python(ECHO_SERVER, &["127.0.0.1"]);
    let port = server.wait_for("port ");
    for form in FORMS {
        let rule = format!("tcp://localhost:{port}");
        our_clients(form, &[rule], "localhost", &port, &[]);
    }
}

#[test]
fn a_rule_with_localhost_lets_a_server_look_it_up_and_listen() {
    for form in FORMS {
        let mut server = echo_server(form, "tcp://localhost:0", &["localhost"]);
        let address = server.listening();
        assert!(address.ip().is_loopback(), "{address}");
        cpython_client(address);
    }
}

#[test]
fn a_client_without_a_host_connects_to_this_machine_over_ipv6_or_ipv4() {
    for host in ["::1", "127.0.0.1"] {
        if host == "::1" && !has_ipv6() {
            println!("this machine has no IPv6");
            continue;
        }
        let mut server = python(ECHO_SERVER, &[host]);
        let port = server.wait_for("port ");
        let rules = ["127.0.0.1", "[::1]"].map(|ip| format!("tcp://{ip}:{port}"));
        for form in FORMS {
            our_clients(form, &rules, "-", &port, &[]);
        }
    }
}

#[test]
fn a_server_without_a_host_has_one_port_for_ipv4_and_ipv6() {
    for form in FORMS {
        let mut server = echo_server(form, "tcp://*:0", &[]);
        let mut addresses = vec![server.listening()];
        if has_ipv6() {
            addresses.push(server.listening());
            assert_eq!(addresses[0].port(), addresses[1].port());
            assert_ne!(addresses[0].is_ipv4(), addresses[1].is_ipv4());
        }
        for address in addresses {
            assert!(address.ip().is_unspecified(), "{address}");
            let loopback = if address.is_ipv4() {
                "127.0.0.1"
            } else {
                "::1"
            };
            cpython_client(SocketAddr::new(loopback.parse().unwrap(), address.port()));
        }
    }
}

/// Runs a guest that adopts sockets of its own beside an echo server, and visits the
/// server that the guest makes of one.
fn adopting(guest: &str) -> Process {
    const VISIT: &str = "import socket, sys
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
connection.sendall(b'visit\\n')
print('got', connection.makefile('rb').readline())";
    let mut echo = python(ECHO_SERVER, &["127.0.0.1"]);
    let port = echo.wait_for("port ");
    let rule = format!("tcp://127.0.0.1:{port}");
    let listen = "--allow-listen=tcp://127.0.0.1:0";
    let mut guest = run(
        &["--allow-connect", &rule, listen],
        guest,
        &["127.0.0.1", &port],
    );
    let listening = guest.listening().port().to_string();
    let mut visit = python(VISIT, &[&listening]);
    assert_eq!(visit.wait_for("got "), r"b'visit\n'");
    guest
}

#[test]
fn sockets_of_the_applications_own_are_adopted() {
    assert_eq!(
        adopting("adopts-wit").success(),
        "adopted\nConnectError::InvalidArgument(\"the socket is not connected\")\nvisit\n"
    );
}

#[test]
fn ss17_sockets_of_a_linked_programs_own_are_adopted_and_wrong_ones_refused() {
    let mut guest = adopting("adopts");
    guest.wait_for("visit");
    guest.signal("INT");
    let refused = "family, proto, flags, local address and happy eyeballs are for hosts and \
                   ports; leave them out to adopt a socket";
    let finding = "family, flags, reuse-address and reuse-port are for hosts and ports; leave \
                   them out to adopt a socket";
    assert_eq!(
        guest.end().stdout,
        format!(
            "adopted
the socket is not connected
{refused}
the socket has to be bound, and must not listen yet
{finding}
{finding}
visit
"
        )
    );
}

//! Checks what signals do.

use std::net::TcpStream;

use super::{Peer, connect, expect, is_over};
use crate::support::ports::ReservedPort;
use crate::support::{Process, run};

/// Signals a client that waits for an answer, and returns its exit code.
fn stopped(name: &str, signal: &str) -> Option<i32> {
    let peer = Peer::new();
    let client = peer.visited_by(name, &[], &["hello"]);
    let mut connection = peer.accept();
    expect(&mut connection, "hello");
    client.signal(signal);
    assert!(is_over(&mut connection));
    client.end().code
}

#[test]
fn an_interrupt_ends_the_connections_and_exits_with_130() {
    assert_eq!(stopped("tcp-echo-client", "INT"), Some(130));
    assert_eq!(stopped("tcp-echo-client-wit", "INT"), Some(130));
}

#[test]
fn a_termination_ends_the_connections_and_exits_with_143() {
    assert_eq!(stopped("tcp-echo-client", "TERM"), Some(143));
    assert_eq!(stopped("tcp-echo-client-wit", "TERM"), Some(143));
}

#[test]
fn an_interrupted_server_ends_its_connections_and_by_itself() {
    for name in ["tcp-echo-server", "tcp-echo-server-wit"] {
        let free = ReservedPort::new();
        let port = free.number().to_string();
        let rule = format!("tcp://127.0.0.1:{port}");
        let mut server = run(&["--allow-listen", &rule], name, &["127.0.0.1", &port]);
        let address = server.listening();
        let mut clients: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
        server.signal("INT");
        assert!(clients.iter_mut().all(is_over));
        assert_eq!(server.end().code, Some(0));
        assert!(TcpStream::connect(address).is_err());
    }
}

fn spinning() -> Process {
    let peer = Peer::new();
    let program = peer.visited_by("spins", &[], &[]);
    let mut connection = peer.accept();
    expect(&mut connection, "spinning\n");
    assert!(is_over(&mut connection));
    program
}

#[test]
fn a_program_that_computes_ends_soon_after_a_signal() {
    let program = spinning();
    program.signal("INT");
    assert_eq!(program.end().code, Some(130));
}

#[test]
fn a_second_signal_ends_a_program_that_computes_at_once() {
    let program = spinning();
    program.signal("INT");
    program.signal("TERM");
    let ended = program.end();
    // The code is that of the second signal. The command may see both at the same time and
    // take them in any order.
    assert!(matches!(ended.code, Some(130 | 143)), "{ended:?}");
    // After one signal the command would wait for the program to give way, and report
    // that it did not.
    assert!(!ended.stderr.contains("did not give way"), "{ended:?}");
}

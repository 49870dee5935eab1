//! Many clients at the same moment.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{PATIENCE, Process, run};

/// Starts an echo server and stops its process, so that all clients connect before it can
/// accept one.
fn burst(name: &str, flags: &[&str], clients: usize) -> (Process, Vec<TcpStream>) {
    let flags = [&["--allow-listen", "tcp://127.0.0.1:0"], flags].concat();
    let mut server = run(&flags, name, &["127.0.0.1", "0"]);
    let address = server.listening();
    server.signal("STOP");
    let clients = (0..clients).map(|_| client(address)).collect();
    (server, clients)
}

fn client(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Reads a byte: the answer, the end, or a reset.
fn answer(client: &mut TcpStream) -> Result<usize, ErrorKind> {
    client.read(&mut [0]).map_err(|error| error.kind())
}

#[test]
fn clients_that_come_at_the_same_moment_are_all_served() {
    for name in ["echo-server", "echo-server-wit"] {
        let (server, mut clients) = burst(name, &[], 90);
        server.signal("CONT");
        for client in &mut clients {
            client.write_all(b"x").unwrap();
        }
        assert!(clients.iter_mut().all(|client| answer(client) == Ok(1)));
    }
}

#[test]
fn of_those_that_come_at_the_same_moment_no_more_are_accepted_than_may_be() {
    for name in ["echo-server", "echo-server-wit"] {
        // The limit counts the listener and four connections.
        let (server, mut clients) = burst(name, &["--max-sockets", "5"], 16);
        server.signal("CONT");
        let (accepted, others) = clients.split_at_mut(4);
        let refused = Err(ErrorKind::ConnectionReset);
        assert!(others.iter_mut().all(|client| answer(client) == refused));
        for client in accepted {
            client.write_all(b"x").unwrap();
            assert_eq!(answer(client), Ok(1));
        }
    }
}

#[test]
fn a_server_that_is_stopped_while_clients_come_leaves_none_of_them_waiting() {
    for name in ["echo-server", "echo-server-wit"] {
        let (server, mut clients) = burst(name, &["--stats"], 90);
        server.signal("TERM");
        server.signal("CONT");
        for client in &mut clients {
            let over = answer(client);
            assert!(
                matches!(over, Ok(0) | Err(ErrorKind::ConnectionReset)),
                "{over:?}"
            );
        }
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("sockets-open=0"), "{ended:?}");
    }
}

//! Checks that an operation that waits holds up no other one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::noise::Noise;
use crate::support::ports::ReservedPort;
use crate::support::{Process, python, run};

const FORMS: [&str; 2] = ["", "-wit"];

const SEED: u64 = 7;

fn guest(form: &str, name: &str, args: &[&str]) -> (Process, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    let args = [&["127.0.0.1", port.as_str()], args].concat();
    let guest = run(&["--allow-connect", &rule], &format!("{name}{form}"), &args);
    (guest, listener.accept().unwrap().0)
}

#[test]
fn a_thousand_writes_in_a_row_wait_for_a_peer_that_does_not_read_until_they_are_aborted() {
    let (writes, bytes) = (1000, 32 << 10);
    for form in FORMS {
        let args = [writes.to_string(), bytes.to_string()];
        let args = args.each_ref().map(String::as_str);
        let (mut guest, mut peer) = guest(form, "undrained-writes", &args);
        let buffered: usize = guest.wait_for("buffered ").parse().unwrap();
        assert!(buffered > 0 && buffered <= writes * bytes, "{buffered}");
        guest.wait_for("aborted");
        guest.success();
        // The guest aborts the connection, so the peer never gets all bytes.
        let mut received = Vec::new();
        drop(peer.read_to_end(&mut received));
        assert!(received.len() < writes * bytes, "{}", received.len());
    }
}

#[test]
fn connections_are_made_and_accepted_while_other_calls_wait() {
    for form in FORMS {
        let guest = run(
            &[
                "--allow-listen",
                "tcp://127.0.0.1:0",
                "--allow-connect",
                "tcp://127.0.0.1:*",
            ],
            &format!("pending{form}"),
            &[],
        );
        assert_eq!(
            guest.success(),
            "ten came back\nread: Ok(()), drain: Err(Aborted)\n"
        );
    }
}

#[test]
fn reads_that_time_out_lose_nothing() {
    let bytes = 100_000;
    for form in FORMS {
        let args = [bytes.to_string(), SEED.to_string()];
        let args = args.each_ref().map(String::as_str);
        let (guest, mut peer) = guest(form, "timed-reads", &args);
        peer.set_nodelay(true).unwrap();
        let mut noise = Noise::new(SEED);
        let mut sent = 0;
        while sent < bytes {
            let mut asked = [0];
            peer.read_exact(&mut asked).unwrap();
            let piece = noise.bytes((bytes - sent).min(1000));
            sent += piece.len();
            for part in piece.chunks(100) {
                // Many of the guest's time limits pass meanwhile; how many does not
                // matter.
                thread::sleep(Duration::from_millis(1));
                peer.write_all(part).unwrap();
            }
        }
        let printed = guest.success();
        print!("{printed}");
        assert!(
            printed.starts_with(&format!("received {bytes} ")),
            "{printed}"
        );
    }
}

#[test]
fn an_abandoned_wait_that_was_not_cancelled_does_not_block_the_next_read() {
    const PEER: &str = "import socket
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1])
connection, _ = listener.accept()
connection.sendall(b'ab')
connection.makefile('rb').readline()
connection.sendall(b'c\\n')
connection.recv(1)";
    let mut peer = python(PEER, &[]);
    let port = peer.wait_for("port ");
    let rule = format!("tcp://127.0.0.1:{port}");
    let guest = run(
        &["--allow-connect", &rule],
        "abandoned-wait-wit",
        &["127.0.0.1", &port],
    );
    assert_eq!(
        guest.success(),
        "line None\nthe first gave way\nline Some([97, 98, 99, 10])\n"
    );
}

#[test]
fn sv5_connects_are_refused_once_a_server_is_closed() {
    let free = ReservedPort::new();
    let port = free.number().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    let flags = ["--allow-listen", &rule, "--allow-connect", &rule];
    assert_eq!(run(&flags, "closes", &[&port]).success(), "refused 100\n");
}

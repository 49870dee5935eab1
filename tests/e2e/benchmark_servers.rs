//! Checks the servers that `cargo xtask bench` measures beside the echo. They count the
//! bytes that they read, send back a whole stream, and do all of it over TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::noise::{Noise, pattern};
use crate::support::{Process, run};
use crate::tls_raw::peer::Localhost;

const LISTEN: [&str; 2] = ["--allow-listen", "tcp://127.0.0.1:0"];

const LINES: usize = 10_000;
const BYTES: usize = 4 << 20;

/// Sends all of the data and returns everything that the server answers.
fn answer(address: SocketAddr, data: Vec<u8>) -> Vec<u8> {
    let mut connection = TcpStream::connect(address).unwrap();
    let mut sender = connection.try_clone().unwrap();
    let sending = thread::spawn(move || {
        sender.write_all(&data).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    sending.join().unwrap();
    answer
}

#[test]
fn lines_are_counted_however_they_are_read() {
    let line = [&[b'.'; 98], &b"\r\n"[..]].concat();
    for form in ["", "-wit"] {
        for how in ["readline", "readuntil", "readlines"] {
            let name = format!("lines-server{form}");
            let mut server: Process = run(&LISTEN, &name, &[how, "127.0.0.1", "0"]);
            let address = server.listening();
            let counted = answer(address, line.repeat(LINES));
            assert_eq!(counted, b"10000 1000000\n", "{name} {how}");
            assert_eq!(answer(address, Vec::new()), b"0 0\n", "{name} {how}");
        }
    }
}

#[test]
fn a_connection_is_sent_back_as_one_stream_of_bytes() {
    let mut server = run(&LISTEN, "echo-stream-wit", &["127.0.0.1", "0"]);
    let data = Noise::new(7).bytes(BYTES);
    let address = server.listening();
    for _ in 0..2 {
        assert!(answer(address, data.clone()) == data, "other bytes");
    }
}

#[test]
fn over_tls_a_server_echoes_sends_without_end_or_counts() {
    let localhost = Localhost::new();
    let identity = format!("--tls-identity=bench={}", localhost.identity_file());
    for form in ["", "-wit"] {
        let start = |flow| {
            let flags = [LISTEN[0], LISTEN[1], &identity];
            let name = format!("tls-flows{form}");
            let mut server = run(&flags, &name, &[flow, "127.0.0.1", "0"]);
            let session = localhost.connect(server.listening());
            (server, session)
        };
        let mut answer = Vec::new();

        let (_server, mut session) = start("echo");
        session.write_all(b"a line\n").unwrap();
        session.conn.send_close_notify();
        session.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"a line\n", "{form}");

        let (_server, mut session) = start("source");
        let mut sent = vec![0; BYTES];
        session.read_exact(&mut sent).unwrap();
        assert!(sent == pattern(BYTES), "other bytes{form}");

        let (_server, mut session) = start("sink");
        session.write_all(&vec![b'.'; BYTES]).unwrap();
        session.write_all(b"\n").unwrap();
        answer.clear();
        session.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"4194305\n", "{form}");
    }
}

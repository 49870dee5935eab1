//! Checks the times that a server limits: peers that are silent, or slow on purpose.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Process, run};

const FORMS: [&str; 2] = ["tls", "tls-wit"];

/// Starts a server without TLS, with these limits and steps.
fn server(form: &str, words: &[&str]) -> (Process, SocketAddr) {
    let flags = ["--allow-listen", "tcp://127.0.0.1:0"];
    let args = [&["server", "127.0.0.1", "plain"], words].concat();
    let mut server = run(&flags, form, &args);
    let address = server.listening();
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

fn exchange(peer: &mut TcpStream, line: &str) {
    peer.write_all(line.as_bytes()).unwrap();
    let mut answer = vec![0; line.len()];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(answer, line.as_bytes());
}

/// Waits until the server ends the connection.
fn is_ended(peer: &mut TcpStream) -> bool {
    peer.read(&mut [0]).is_ok_and(|count| count == 0)
}

#[test]
fn a_silent_peer_is_given_up_and_the_others_are_served() {
    for form in FORMS {
        let (mut server, address) = server(form, &["idle=1500", "--", "echo"]);
        let mut silent: Vec<TcpStream> = (0..50).map(|_| connect(address)).collect();
        let mut stops = connect(address);
        exchange(&mut stops, "hello\n");
        assert!(silent.iter_mut().all(is_ended), "{form}");
        exchange(&mut connect(address), "still here\n");
        assert!(is_ended(&mut stops), "{form}");
        let error = server.wait_for("echo Err");
        assert!(error.contains("Timeout"), "{form}: {error}");
    }
}

#[test]
fn a_peer_that_receives_nothing_is_given_up() {
    for form in FORMS {
        let words = ["idle=1000", "--", "fill:50000000", "all"];
        let (mut server, address) = server(form, &words);
        let _peer = connect(address);
        let error = server.wait_for("all failed");
        assert!(error.contains("Timeout"), "{form}: {error}");
    }
}

#[test]
fn a_peer_that_sends_a_byte_now_and_then_is_not_idle() {
    const BYTES: usize = 100;
    for form in FORMS {
        // 100 bytes take longer than the limit, and a byte takes a small part of it.
        let (_server, address) = server(form, &["idle=4000", "--", "echo"]);
        let mut peer = connect(address);
        let begun = Instant::now();
        let mut sent = String::new();
        while sent.len() < BYTES || begun.elapsed() < Duration::from_millis(4500) {
            peer.write_all(b"x").unwrap();
            sent.push('x');
            std::thread::sleep(Duration::from_millis(45));
        }
        sent.push('\n');
        peer.write_all(b"\n").unwrap();
        let mut answer = vec![0; sent.len()];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer, sent.as_bytes(), "{form}");
    }
}

#[test]
fn a_peer_that_sends_a_byte_now_and_then_has_the_time_of_a_connection() {
    for form in FORMS {
        let words = ["idle=100000", "total=1000", "--", "echo"];
        let (mut server, address) = server(form, &words);
        let mut peer = connect(address);
        let begun = Instant::now();
        peer.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        // Until the server has ended the connection, and the kernel says so.
        while peer.write_all(b"x").is_ok() && !is_ended(&mut peer) {
            assert!(begun.elapsed() < PATIENCE, "{form}: it goes on");
        }
        assert!(begun.elapsed() >= Duration::from_millis(1000), "{form}");
        let error = server.wait_for("echo Err");
        assert!(error.contains("Timeout"), "{form}: {error}");
    }
}

#[test]
fn no_time_at_all_is_refused() {
    for form in FORMS {
        for (word, name) in [
            ("idle=0", "idle-timeout"),
            ("total=0", "connection-timeout"),
        ] {
            let args = ["server", "127.0.0.1", "plain", word, "--", "echo"];
            let printed = run(&[], form, &args).success();
            assert!(printed.contains(&format!("{name} is 0")), "{printed}");
        }
    }
}

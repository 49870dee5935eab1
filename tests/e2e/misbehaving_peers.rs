//! Thousands of connections, a tenth of which misbehave: the others lose nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::support::{PATIENCE, run};

const FORMS: [&str; 2] = ["", "-wit"];

/// The threads of the test, and the connections that each makes, one after the other.
const THREADS: usize = 8;
const EACH: usize = 300;

/// Connects, and sends a message whose bytes and length depend on the number.
fn speak(server: SocketAddr, number: usize) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let message: Vec<u8> = (0..1 + number * 7 % 9000)
        .map(|at| (at ^ number).to_le_bytes()[0])
        .collect();
    stream.write_all(&message).unwrap();
    (stream, message)
}

/// Does what a peer should not. Returns a connection that stays open until the end.
fn misbehave(server: SocketAddr, number: usize) -> Option<TcpStream> {
    match number % 5 {
        // Resets the connection before the server has answered.
        0 => {
            let (stream, _) = speak(server, number);
            let at_once = Some(Duration::ZERO);
            SockRef::from(&stream).set_linger(at_once).unwrap();
            None
        }
        // Goes without reading the answer, so that the kernel resets.
        1 => {
            speak(server, number);
            None
        }
        // Says nothing, and stays.
        2 => Some(TcpStream::connect(server).unwrap()),
        // Does not read, and stays.
        3 => Some(speak(server, number).0),
        // Ends its half at once, and stays.
        _ => {
            let stream = TcpStream::connect(server).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            Some(stream)
        }
    }
}

/// Makes connections one after the other, each tenth of which misbehaves. The others check
/// that they get back what they sent, to the end. Returns their number.
fn connections(server: SocketAddr, thread: usize) -> usize {
    let mut open = Vec::new();
    let mut whole = 0;
    for number in 0..EACH {
        if number % 10 == 9 {
            open.extend(misbehave(server, thread + number / 10));
            continue;
        }
        let (mut stream, message) = speak(server, thread * EACH + number);
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer == message, "{} of {}", answer.len(), message.len());
        whole += 1;
    }
    whole
}

#[test]
fn peers_that_misbehave_cost_the_others_nothing() {
    for form in FORMS {
        let mut server = run(
            &["--allow-listen", "tcp://127.0.0.1:0"],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        );
        let address = server.listening();
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| thread::spawn(move || connections(address, thread)))
            .collect();
        let whole: usize = threads.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(whole, THREADS * EACH * 9 / 10);
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
}

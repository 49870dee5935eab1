//! Checks clients that connect and send nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::ClientConnection;

use super::wire::Wire;
use super::{FORMS, server, server_that_fails};
use crate::support::authority::Authority;

const STALLED: usize = 200;

#[test]
fn ss16_a_server_with_200_stalled_handshakes_serves_others_and_gives_those_up_in_time() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for (form, least) in FORMS.into_iter().zip([STALLED, 16]) {
        let words = [
            "identity=main",
            "handshake=8000",
            "--",
            "line",
            "send:served\\n",
        ];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let stalled: Vec<TcpStream> = (0..STALLED)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for n in 0..5 {
            let tcp = TcpStream::connect(address).unwrap();
            let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
            wire.send(format!("client {n}\n").as_bytes());
            assert_eq!(wire.exactly(7), "served\n");
            assert_eq!(server.wait_for("line "), format!("\"client {n}\\n\""));
        }
        for mut connection in stalled {
            assert_eq!(
                connection.read(&mut [0]).unwrap(),
                0,
                "closed without a byte"
            );
        }
        server.wait_for("handshake failed: HandshakeTimeout");
        // They were served while all the other clients stalled.
        server.signal("INT");
        let printed = server.end().stdout;
        let first = printed.find("handshake failed").unwrap();
        assert!(printed[..first].contains("client 4"), "{form}: {printed}");
        // The component's interface keeps the latest 16 failures.
        let told = printed
            .matches("handshake failed: HandshakeTimeout")
            .count();
        assert!(told >= least && told <= STALLED, "{form}: {told}");
    }
}

#[test]
fn ss16_of_too_many_handshakes_the_oldest_is_given_up_for_a_new_one() {
    const MOST: usize = 8;
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let most = format!("handshakes={MOST}");
        let words = ["identity=main", &most, "--", "line", "send:served\\n"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let mut stalled: Vec<TcpStream> = (0..=MOST)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        assert_eq!(stalled[0].read(&mut [0]).unwrap(), 0, "{form}");
        let why = server.wait_for("handshake failed: ");
        assert!(why.contains(&MOST.to_string()), "{why}");
        let tcp = TcpStream::connect(address).unwrap();
        let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
        wire.send(b"hello\n");
        assert_eq!(wire.exactly(7), "served\n");
    }
}

#[test]
fn ss16_600_clients_that_begin_their_handshakes_late_are_all_served() {
    const CLIENTS: usize = 600;
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "--", "line", "send:served\\n", "close"];
        let (server, address) = server(&[identity.flag("main")], form, &words);
        // All of them are connected before the first one says anything.
        let clients: Vec<TcpStream> = (0..CLIENTS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for tcp in clients {
            let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
            wire.send(b"hello\n");
            assert_eq!(wire.exactly(7), "served\n", "{form}");
            wire.send_end();
        }
        drop(server);
    }
}

#[test]
fn ss16_a_limit_of_handshakes_is_at_least_one_and_for_tls() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "handshakes=0"];
        let failed = server_that_fails(&[identity.flag("main")], form, &words).success();
        assert!(
            failed.starts_with("failed: InvalidArgument(\"max-ssl-handshakes is 0"),
            "{form}: {failed}"
        );
    }
}

#[test]
fn a_client_that_sends_its_hello_byte_by_byte_has_the_time_of_a_handshake() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "handshake=1500", "--", "line"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let name = "localhost".try_into().unwrap();
        let config = authority.client_config();
        let mut hello = Vec::new();
        ClientConnection::new(config, name)
            .unwrap()
            .write_tls(&mut hello)
            .unwrap();
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_millis(30)))
            .unwrap();
        // The last byte is never sent.
        hello.pop();
        let mut bytes = hello.iter();
        let ended = loop {
            if let Some(byte) = bytes.next()
                && tcp.write_all(&[*byte]).is_err()
            {
                break true;
            }
            match tcp.read(&mut [0]) {
                Ok(0) => break true,
                Ok(_) => break false,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break true,
            }
        };
        assert!(ended, "{form}");
        server.wait_for("handshake failed: HandshakeTimeout");
    }
}

#[test]
fn a_client_that_is_silent_after_its_handshake_is_given_up() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "idle=1000", "--", "echo"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let tcp = TcpStream::connect(address).unwrap();
        let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
        wire.send(b"hello\n");
        assert_eq!(wire.exactly(6), "hello\n");
        let error = server.wait_for("echo Err");
        assert!(error.contains("Timeout"), "{form}: {error}");
    }
}

//! Checks the sessions of `asyncio:host/tls` as the interface documents them, without the
//! library between, and as peers see them.

pub(crate) mod peer;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;

use self::peer::{Localhost, Served, accept, echo};
use crate::noise::pattern;
use crate::support::{Process, run};

const CONNECT: &str = "--allow-connect=tcp://127.0.0.1:*";
const LISTEN: &str = "--allow-listen=tcp://127.0.0.1:0";
const MANY: usize = 64 << 20;

/// Starts the guest as a client that trusts the authority.
fn client(localhost: &Localhost, args: &[&str]) -> Process {
    run(&[CONNECT, &localhost.roots_flag()], "tls-raw", args)
}

/// Starts the guest as the server `localhost`.
fn server(localhost: &Localhost, args: &[&str]) -> Process {
    run(&[LISTEN, &localhost.identity_flag()], "tls-raw", args)
}

#[test]
fn a_client_sends_and_receives_at_once_and_ends_its_half_first() {
    let localhost = Localhost::new();
    for bytes in [0, 1, MANY] {
        let (port, peer) = localhost.serve(echo);
        let output = client(&localhost, &["talks", &port, &bytes.to_string()]).success();
        assert_eq!(output, "0 left, Ok(())\nsame true, Ok(())\nOk(())\n");
        peer.join().unwrap();
    }
}

#[test]
fn a_server_answers_and_ends_its_half_last() {
    let localhost = Localhost::new();
    let mut guest = server(&localhost, &["serves"]);
    let mut session = localhost.connect(guest.listening());
    let mut back = vec![0; 1 << 16];
    for piece in pattern(MANY).chunks(back.len()) {
        session.write_all(piece).unwrap();
        session.read_exact(&mut back).unwrap();
        assert!(back == piece);
    }
    session.conn.send_close_notify();
    assert_eq!(session.read(&mut back).unwrap(), 0);
    assert_eq!(session.sock.read(&mut back).unwrap(), 0);
    assert_eq!(
        guest.success(),
        "TLSv1.3 TLS_AES_256_GCM_SHA384 256 bits, None, Some(\"localhost\"), 0 certificates\n\
         [Ok(()), Ok(()), Ok(())]\n"
    );
}

#[test]
fn both_ends_agree_on_a_protocol_and_on_a_version() {
    let localhost = Localhost::new();
    let mut guest = server(&localhost, &["serves", "h2"]);
    let mut config = ClientConfig::clone(&localhost.client_config());
    config.alpn_protocols = vec![b"y".to_vec(), b"h2".to_vec()];
    let mut session = localhost.connect_with(Arc::new(config), guest.listening());
    session.write_all(b"x").unwrap();
    session.read_exact(&mut [0]).unwrap();
    assert_eq!(session.conn.alpn_protocol(), Some(&b"h2"[..]));
    session.conn.send_close_notify();
    assert_eq!(session.read(&mut [0]).unwrap(), 0);
    let output = guest.success();
    assert!(output.contains(" 256 bits, Some(\"h2\"), "), "{output}");

    let mut guest = server(&localhost, &["serves", "h2"]);
    let address = guest.listening().to_string();
    let old = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &address])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!old.status.success(), "{old:?}");
    let ended = guest.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn openssl_is_served_in_both_versions() {
    let localhost = Localhost::new();
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let mut guest = server(&localhost, &["serves"]);
        let address = guest.listening().to_string();
        let mut peer = Command::new("openssl")
            .args([
                "s_client",
                flag,
                "-connect",
                &address,
                "-servername",
                "localhost",
            ])
            .args(["-verify_hostname", "localhost", "-verify_return_error"])
            .args(["-CAfile", &localhost.authority_file()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = peer.stdin.take().unwrap();
        input.write_all(b"a line\n").unwrap();
        let mut output = BufReader::new(peer.stdout.take().unwrap()).lines();
        assert!(output.any(|line| line.unwrap() == "a line"));
        drop(input);
        assert!(peer.wait().unwrap().success());
        let output = guest.success();
        assert!(output.starts_with(version), "{output}");
        assert!(output.ends_with("[Ok(()), Ok(()), Ok(())]\n"), "{output}");
    }
}

#[test]
fn openssl_serves_in_both_versions() {
    let localhost = Localhost::new();
    for flag in ["-tls1_2", "-tls1_3"] {
        let mut peer = Command::new("openssl");
        peer.args(["s_server", flag, "-accept", "127.0.0.1:0", "-rev"])
            .args(["-naccept", "1", "-cert", &localhost.identity_file()]);
        let mut peer = Process::start(peer);
        let address = peer.wait_for("ACCEPT ");
        let (_, port) = address.rsplit_once(':').unwrap();
        let output = client(&localhost, &["says", port, "abc"]).success();
        assert_eq!(output, "cba\n[Ok(()), Ok(()), Ok(())]\n");
    }
}

#[test]
fn bytes_received_before_are_a_part_of_the_handshake() {
    let localhost = Localhost::new();
    for bytes in ["1", "5", "100"] {
        let mut guest = server(&localhost, &["upgrades", bytes]);
        let mut session = localhost.connect(guest.listening());
        session.write_all(b"hello").unwrap();
        let mut back = [0; 5];
        session.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"hello");
        session.conn.send_close_notify();
        assert_eq!(session.read(&mut back).unwrap(), 0);
        assert_eq!(guest.success(), "[Ok(()), Ok(()), Ok(())]\n");
    }
}

#[test]
fn the_streams_of_a_socket_end_when_a_session_takes_it() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(echo);
    assert_eq!(
        client(&localhost, &["detaches", &port]).success(),
        "read [], Ok(())\n5 left, Ok(())\nhidden\n[Ok(()), Ok(()), Ok(())]\n"
    );
    peer.join().unwrap();
}

#[test]
fn an_end_of_the_connection_is_told_apart_from_one_of_the_session() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(|mut session: Served| {
        session.write_all(b"the whole").unwrap();
        session.conn.send_close_notify();
        session.flush().unwrap();
    });
    let output = client(&localhost, &["receives", &port]).success();
    assert_eq!(output, "the whole\n[Ok(()), Ok(()), Ok(())]\n");
    peer.join().unwrap();

    let (port, peer) = localhost.serve(|mut session: Served| {
        session.write_all(b"a part").unwrap();
    });
    let output = client(&localhost, &["receives", &port]).success();
    assert_eq!(
        output,
        "a part\n[Err(ErrorCode::UnexpectedEof), Ok(()), Ok(())]\n"
    );
    peer.join().unwrap();
}

#[test]
fn a_peer_that_does_not_end_its_half_is_left_after_a_time() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(|mut session: Served| {
        // The session ends first, and then the connection.
        assert_eq!(session.read(&mut [0]).unwrap(), 0);
        assert_eq!(session.sock.read(&mut [0]).unwrap(), 0);
    });
    let output = client(&localhost, &["closes", &port, "50"]).success();
    assert_eq!(output, "Err(ErrorCode::ShutdownTimeout)\n");
    peer.join().unwrap();
}

#[test]
fn data_that_arrive_while_closing_are_dropped() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(|mut session: Served| {
        session.write_all(&pattern(MANY)).unwrap();
        session.conn.send_close_notify();
        session.flush().unwrap();
    });
    let output = client(&localhost, &["closes", &port, "60000"]).success();
    assert_eq!(output, "Ok(())\n");
    peer.join().unwrap();
}

/// Checks that the peer received `begun` and then the end of the connection, without an
/// end of the session.
fn is_cut_short(mut session: Served) {
    let mut begun = [0; 5];
    session.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"begun");
    let error = session.read(&mut begun).unwrap_err();
    // The kernel sends a reset if the guest closes with unread data.
    let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error}");
}

#[test]
fn a_session_that_is_dropped_ends_without_the_peer_being_told() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(is_cut_short);
    let mut guest = client(&localhost, &["drops", &port]);
    guest.wait_for("stays");
    peer.join().unwrap();
    guest.signal("INT");
    let aborted = "Err(ErrorCode::Socket(ErrorCode::ConnectionAborted))";
    let output = guest.end().stdout;
    assert_eq!(
        output,
        format!("read [], {aborted}\n4 left, {aborted}\nstays\n")
    );
}

#[test]
fn a_close_that_is_given_up_cuts_the_session_short() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(is_cut_short);
    let mut guest = client(&localhost, &["gives-up-closing", &port]);
    guest.wait_for("stays");
    peer.join().unwrap();
    guest.signal("INT");
    let aborted = "Err(ErrorCode::Socket(ErrorCode::ConnectionAborted))";
    let output = guest.end().stdout;
    assert_eq!(output, format!("{aborted}\n{aborted}\nstays\n"));
}

#[test]
fn a_program_that_is_stopped_resets_its_sessions_but_for_those_that_it_has_ended() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(|mut session: Served| {
        let mut bytes = [0; 5];
        session.read_exact(&mut bytes).unwrap();
        session.read(&mut bytes).unwrap_err().kind()
    });
    let mut guest = client(&localhost, &["stays", &port]);
    guest.wait_for("stays");
    guest.signal("INT");
    assert_eq!(peer.join().unwrap(), ErrorKind::ConnectionReset);

    let (port, peer) = localhost.serve(|mut session: Served| {
        let mut all = Vec::new();
        session.read_to_end(&mut all).unwrap();
        (all, session.sock.read(&mut [0]).unwrap())
    });
    let mut guest = client(&localhost, &["ends", &port]);
    guest.wait_for("stays");
    guest.signal("INT");
    assert_eq!(peer.join().unwrap(), (b"all".to_vec(), 0));
}

#[test]
fn asking_whether_there_is_something_waits_and_takes_nothing() {
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(echo);
    assert_eq!(
        client(&localhost, &["asks", &port]).success(),
        "waits true\nComplete(0)\na\nb\nc\n[Ok(()), Ok(()), Ok(())]\n"
    );
    peer.join().unwrap();
}

#[test]
fn writes_that_are_given_up_lose_nothing_and_send_nothing_twice() {
    const BYTES: usize = 8 << 20;
    let localhost = Localhost::new();
    let (port, peer) = localhost.serve(|mut session: Served| {
        let mut all = Vec::new();
        let mut some = [0; 1000];
        loop {
            match session.read(&mut some).unwrap() {
                0 => break,
                count => all.extend_from_slice(&some[..count]),
            }
        }
        assert!(all == pattern(BYTES), "{} bytes", all.len());
    });
    let args = ["cancels-writes", &port, &BYTES.to_string()];
    let output = client(&localhost, &args).success();
    assert_eq!(output, "[Ok(()), Ok(()), Ok(())]\n");
    peer.join().unwrap();
}

#[test]
fn each_peer_that_is_not_valid_fails_the_handshake_with_its_error() {
    let again = "again Some(ErrorCode::Socket(ErrorCode::InvalidState))\n";
    let localhost = Localhost::new();
    let (port, peer) = accept(|mut connection: TcpStream| {
        connection.read_exact(&mut [0]).unwrap();
        connection.write_all(b"220 mail ready\r\n").unwrap();
        drop(connection.read_to_end(&mut Vec::new()));
    });
    let output = client(&localhost, &["meets", &port, "60000"]).success();
    assert_eq!(output, format!("ErrorCode::NotTls\n{again}"));
    peer.join().unwrap();

    // The guest closes the connection and goes on running.
    let (port, peer) = accept(|mut connection: TcpStream| {
        connection.read_to_end(&mut Vec::new()).unwrap();
    });
    let output = client(&localhost, &["meets", &port, "50"]).success();
    assert_eq!(output, format!("ErrorCode::HandshakeTimeout\n{again}"));
    peer.join().unwrap();

    let (port, peer) = Localhost::new().serve(|mut session: Served| {
        session.read(&mut [0]).unwrap_err();
    });
    let output = client(&localhost, &["meets", &port, "60000"]).success();
    assert_eq!(output, format!("ErrorCode::UnknownAuthority\n{again}"));
    peer.join().unwrap();
}

#[test]
fn each_state_permits_what_the_wit_says() {
    let localhost = Localhost::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let guest = client(&localhost, &["states", &port]);
    let ended = listener.accept().unwrap();
    let new = listener.accept().unwrap();
    let (open, _) = listener.accept().unwrap();
    let mut session = localhost.served(open);
    drop(session.flush());
    let invalid = "ErrorCode::Socket(ErrorCode::InvalidState)";
    assert_eq!(
        guest.success(),
        format!(
            "unconnected Some({invalid})\n\
             ended Some({invalid})\n\
             new [] Err({invalid}), 1 left Err({invalid})\n\
             close Err({invalid})\n\
             open [] Err({invalid}), 1 left Err({invalid})\n\
             again Some({invalid})\n"
        )
    );
    drop((ended, new));
}

#[test]
fn requests_that_the_policy_does_not_permit_are_denied_and_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ended = run(&[CONNECT], "tls-raw", &["wishes", &port]).end();
    let denied = "ErrorCode::AccessDenied";
    assert_eq!(
        ended.stdout,
        format!(
            "roots Err({denied})\nidentity Some({denied})\nnobody Some({denied})\n\
             unverified Err({denied})\nunnamed Some({denied})\n"
        )
    );
    for flag in [
        "--allow-tls-guest-roots",
        "--tls-identity server=CERT.pem,KEY.pem",
        "--tls-identity nobody=CERT.pem,KEY.pem",
        "--allow-tls-unverified",
    ] {
        let told = ended.stderr.lines().filter(|line| line.ends_with(flag));
        assert_eq!(told.count(), 1, "{flag}: {ended:?}");
    }

    let localhost = Localhost::new();
    let flags = [
        CONNECT,
        "--allow-tls-guest-roots",
        "--allow-tls-unverified",
        &localhost.identity_flag(),
    ];
    let ended = run(&flags, "tls-raw", &["wishes", &port]).end();
    assert!(
        ended
            .stdout
            .starts_with("roots Err(ErrorCode::InvalidArgument("),
        "{ended:?}"
    );
    assert!(
        ended.stdout.ends_with(&format!(
            "identity None\nnobody Some({denied})\nunverified Ok(())\nunnamed None\n"
        )),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("does not check"), "{ended:?}");
}

#[test]
fn a_socket_that_cannot_carry_a_session_is_refused() {
    let localhost = Localhost::new();
    let flags = [
        CONNECT,
        LISTEN,
        &localhost.roots_flag(),
        &localhost.identity_flag(),
    ];
    let output = run(&flags, "tls-raw", &["refuses"]).success();
    let lines: Vec<&str> = output.lines().collect();
    let unexpected = "Some(ErrorCode::UnexpectedData)";
    assert_eq!(lines[0], "nothing: server None, client None");
    let begun = format!("a handshake: server None, client {unexpected}");
    assert_eq!(lines[1], begun);
    let plain = format!("else: server {unexpected}, client {unexpected}");
    assert_eq!(lines[2], plain);
    for (line, start) in lines[3..].iter().zip([
        "name Some(ErrorCode::InvalidArgument(",
        "nobody Some(ErrorCode::InvalidArgument(",
        "optional Err(ErrorCode::InvalidArgument(",
        "protocol Err(ErrorCode::InvalidArgument(",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(lines.len(), 7, "{output}");
}

/// The most sessions inside one another.
const MOST_LEVELS: usize = 8;

#[test]
fn sessions_run_inside_one_another_and_end_one_after_the_other() {
    let localhost = Localhost::new();
    let flags = [
        LISTEN,
        CONNECT,
        &localhost.identity_flag(),
        &localhost.roots_flag(),
    ];
    for levels in [1, 2, MOST_LEVELS] {
        let output = run(&flags, "tls-raw", &["nests", &levels.to_string()]).success();
        let ends = "[Ok(()), Ok(()), Ok(())]";
        assert_eq!(output, format!("question\nanswer\n{ends}, {ends}\n"));
    }
    let too_many = (MOST_LEVELS + 1).to_string();
    let refused = run(&flags, "tls-raw", &["nests", &too_many]).end();
    assert!(
        refused.stderr.contains("8 sessions inside one another"),
        "{refused:?}"
    );
}

#[test]
fn a_session_takes_over_only_an_open_one_and_none_of_its_bytes_is_lost() {
    let localhost = Localhost::new();
    let flags = [
        LISTEN,
        CONNECT,
        &localhost.identity_flag(),
        &localhost.roots_flag(),
    ];
    let output = run(&flags, "tls-raw", &["nests-late"]).success();
    let invalid = "Some(ErrorCode::Socket(ErrorCode::InvalidState))";
    assert_eq!(
        output,
        format!(
            "new {invalid}\nended {invalid}\nasked Complete(0)\nhello\n\
             read [], Ok(())\n5 left, Ok(())\ncut []\n\
             Err(ErrorCode::UnexpectedEof)\n"
        )
    );
}

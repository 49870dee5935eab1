use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{connect, echo_server};
use crate::support::{Ended, PATIENCE, run};

/// Runs a program that opens connections until one fails, with these flags.
fn opens_many(flags: &[&str]) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    let flags = [&["--allow-connect", &rule], flags].concat();
    run(&flags, "connects", &["127.0.0.1", &port]).end()
}

/// Returns true if the peer answers, and false if it resets or ends the connection.
fn is_served(connection: &mut TcpStream) -> bool {
    match connection
        .write_all(b"x")
        .and_then(|()| connection.read_exact(&mut [0]))
    {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer in time"),
        Err(_) => false,
    }
}

#[test]
fn connections_beyond_the_quota_fail_with_its_name_until_one_is_closed() {
    let ended = opens_many(&["--max-connections", "3"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("3 open, then: "), "{ended:?}");
    assert!(
        lines[0].contains("the quota of connections is 3"),
        "{ended:?}"
    );
    assert!(!lines[0].contains("permission denied"), "{ended:?}");
    assert_eq!(lines[1], "3 open again");
    let denied = "the quota of connections is 3; allow more with --max-connections 6\n";
    assert!(ended.stderr.ends_with(denied), "{ended:?}");
}

#[test]
fn connects_beyond_the_rate_fail_with_its_name() {
    let ended = opens_many(&["--max-connect-rate", "1"]);
    let text = "the quota of connects in a second is 1";
    assert!(ended.stdout.contains(text), "{ended:?}");
    let remedy = "allow more with --max-connect-rate 2";
    assert!(ended.stderr.contains(remedy), "{ended:?}");
}

#[test]
fn look_ups_beyond_the_rate_fail_with_its_name() {
    let flags = ["--allow-resolve", "*", "--max-lookup-rate", "0"];
    let ended = run(&flags, "connect", &["a.invalid", "80"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let denied = "asyncio-streams: denied: look up a.invalid: the quota of look-ups in a second \
                  is 0; allow more with --max-lookup-rate 1\n";
    assert!(ended.stderr.contains(denied), "{ended:?}");
    let told = ended.stderr.replace(denied, "");
    assert!(
        told.contains("the quota of look-ups in a second is 0"),
        "{told}"
    );
}

/// Connects from this address of the loopback network.
fn connect_from(own: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let connection = TcpStream::from(socket);
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

#[test]
fn a_peer_with_too_many_connections_is_refused_and_others_are_not() {
    let (mut server, address) = echo_server(&["--max-connections-per-peer", "2"]);
    let one = Ipv4Addr::new(127, 0, 0, 1);
    let mut held: Vec<TcpStream> = (0..2).map(|_| connect_from(one, address)).collect();
    assert!(held.iter_mut().all(is_served));
    assert!(!is_served(&mut connect_from(one, address)));
    let line = server.wait_for_part("accept a connection from 127.0.0.1");
    assert!(
        line.contains("the quota of connections with one peer is 2"),
        "{line}"
    );
    assert!(is_served(&mut connect_from(
        Ipv4Addr::new(127, 0, 0, 2),
        address
    )));
    // The place of a connection that ends is free again.
    drop(held.pop());
    let deadline = Instant::now() + PATIENCE;
    while !is_served(&mut connect_from(one, address)) {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn connections_accepted_beyond_the_rate_are_reset() {
    let (mut server, address) = echo_server(&["--max-accept-rate", "1"]);
    assert!(is_served(&mut connect(address)));
    let deadline = Instant::now() + PATIENCE;
    // Each is refused that comes before the second is over.
    while is_served(&mut connect(address)) {
        assert!(Instant::now() < deadline);
    }
    let line = server.wait_for_part("accept a connection");
    assert!(
        line.contains("the quota of connections accepted in a second is 1"),
        "{line}"
    );
}

#[test]
fn bytes_beyond_the_rate_arrive_later_and_whole() {
    for (option, quota) in [
        ("--max-receive-rate", "bytes received in a second"),
        ("--max-send-rate", "bytes sent in a second"),
    ] {
        let (mut server, address) = echo_server(&[option, "64KiB"]);
        let mut client = connect(address);
        let data = vec![7; 192 * 1024];
        let begin = Instant::now();
        let mut writing = client.try_clone().unwrap();
        let sent = data.clone();
        let writer = std::thread::spawn(move || {
            writing.write_all(&sent).unwrap();
            writing.write_all(b"x").unwrap();
        });
        let mut received = vec![0; data.len() + 1];
        client.read_exact(&mut received).unwrap();
        writer.join().unwrap();
        assert!(received.ends_with(b"\x07x"));
        // A second's worth comes at once, and each transfer may take 64 KiB more than is
        // left: of 3 s, 1 s remains at least.
        assert!(
            begin.elapsed() > Duration::from_millis(900),
            "{option}: {:?}",
            begin.elapsed()
        );
        let line = server.wait_for_part(quota);
        assert!(line.contains(option), "{line}");
    }
}

#[test]
fn connections_fail_when_the_bytes_are_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let flags = [
        "--max-bytes",
        "10",
        "--log-format",
        "json",
        "--log-file",
        log.to_str().unwrap(),
    ];
    let (server, address) = echo_server(&flags);
    let mut client = connect(address);
    client.write_all(&[7; 20]).unwrap();
    // The bytes were received, and none can be sent.
    assert!(!matches!(client.read(&mut [0; 20]), Ok(1..)));
    let closed = super::wait_for_text(&log, |text| {
        let mut lines = text.lines();
        lines
            .find(|line| line.contains("connection closed: quota"))
            .map(str::to_owned)
    });
    assert!(closed.contains(r#""received":20"#), "{closed}");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("the quota of bytes received and sent is 10"),
        "{text}"
    );
    drop(server);
}

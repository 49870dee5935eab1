use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{connect, echo_server};
use crate::support::{PATIENCE, Process, run};

/// Sends a request for a page, and returns the whole answer.
fn ask(mut connection: impl Read + Write, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    ask(connection, path)
}

/// Waits until the command says where it serves metrics.
fn metrics(process: &mut Process) -> SocketAddr {
    let address = process.wait_for("asyncio-streams: metrics on http://");
    address.strip_suffix("/metrics").unwrap().parse().unwrap()
}

/// Returns the value of one sample.
fn sample(text: &str, name: &str) -> u64 {
    let start = format!("asyncio_streams_{name} ");
    let mut found = text.lines().filter_map(|line| line.strip_prefix(&start));
    let value = found.next().unwrap_or_else(|| panic!("no {name}: {text}"));
    value.parse().unwrap()
}

#[test]
fn counters_count_what_happened() {
    let (mut server, address) = echo_server(&["--metrics", "tcp://127.0.0.1:0"]);
    let at = metrics(&mut server);
    let mut client = connect(address);
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    let text = get(at, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(
        text.contains("Content-Type: text/plain; version=0.0.4"),
        "{text}"
    );
    let worker = r#"{worker="0"}"#;
    for (name, value) in [
        ("ready".to_owned(), 1),
        (format!("sockets_open{worker}"), 2),
        (format!("listeners_open{worker}"), 1),
        (format!("received_bytes_total{worker}"), 5),
        (format!("sent_bytes_total{worker}"), 5),
        (r#"connections_total{worker="0",direction="in"}"#.into(), 1),
        (r#"connections_total{worker="0",direction="out"}"#.into(), 0),
    ] {
        assert_eq!(sample(&text, &name), value, "{name}: {text}");
    }
    assert!(sample(&text, &format!("memory_bytes{worker}")) > 65536);
}

#[test]
fn denials_are_counted_by_their_reasons() {
    // The program goes on after denials that it is told of.
    let mut program = run(
        &[
            "--metrics",
            "tcp://127.0.0.1:0",
            "--allow-listen",
            "tcp://127.0.0.1:0",
            "--max-accept-rate",
            "0",
        ],
        "echo-server",
        &["127.0.0.1", "0"],
    );
    let at = metrics(&mut program);
    let address = program.listening();
    for _ in 0..3 {
        let mut refused = connect(address);
        assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
    }
    let text = get(at, "/metrics");
    let name = r#"denied_total{worker="0",reason="quota-accept-rate"}"#;
    assert_eq!(sample(&text, name), 3);
}

#[test]
fn a_program_that_does_not_listen_is_alive_and_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (rule, port) = (format!("tcp://{address}"), address.port().to_string());
    let flags = ["--metrics", "tcp://127.0.0.1:0", "--allow-connect", &rule];
    let mut client = run(&flags, "receive", &["127.0.0.1", &port, "1"]);
    let at = metrics(&mut client);
    let _connection = listener.accept().unwrap();
    assert!(get(at, "/healthz").starts_with("HTTP/1.1 200 "));
    let answer = get(at, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("the program does not listen yet\n"),
        "{answer}"
    );
}

#[test]
fn a_server_is_ready_until_it_is_asked_to_stop() {
    let flags = [
        "--allow-listen",
        "tcp://127.0.0.1:0",
        "--metrics",
        "tcp://127.0.0.1:0",
    ];
    let mut server = run(&flags, "finishes", &["127.0.0.1", "0"]);
    let at = metrics(&mut server);
    // The server finishes this connection before it ends.
    let mut client = connect(server.listening());
    client.write_all(b"\n").unwrap();
    client.read_exact(&mut [0]).unwrap();
    assert!(get(at, "/readyz").ends_with("\r\n\r\nok\n"));
    server.signal("TERM");
    let deadline = Instant::now() + PATIENCE;
    let stopping = loop {
        let answer = get(at, "/readyz");
        if answer.starts_with("HTTP/1.1 503 ") {
            break answer;
        }
        assert!(Instant::now() < deadline, "{answer}");
    };
    assert!(
        stopping.ends_with("the program is stopping\n"),
        "{stopping}"
    );
}

#[test]
fn a_path_serves_metrics_too_and_a_file_that_is_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.sock");
    let option = format!("unix:{}", path.display());
    for _ in 0..2 {
        let (server, _) = echo_server(&["--metrics", &option]);
        let answer = ask(UnixStream::connect(&path).unwrap(), "/healthz");
        assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
        // Killed: it leaves the file.
        drop(server);
        assert!(path.exists());
    }
}

#[test]
fn requests_for_other_things_are_refused() {
    let (mut server, _) = echo_server(&["--metrics", "tcp://127.0.0.1:0"]);
    let at = metrics(&mut server);
    assert!(get(at, "/").starts_with("HTTP/1.1 404 "));
    for (request, status) in [
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("no request\r\n\r\n", "400"),
        (&"x".repeat(100_000), "400"),
    ] {
        let mut connection = connect(at);
        // It may be refused before everything is sent.
        let _ = connection.write_all(request.as_bytes());
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(answer, format!("HTTP/1.1 {status}"));
    }
    // Peers that send nothing do not keep others from being answered.
    let idle: Vec<TcpStream> = (0..20).map(|_| connect(at)).collect();
    assert!(get(at, "/healthz").starts_with("HTTP/1.1 200 "), "{idle:?}");
}

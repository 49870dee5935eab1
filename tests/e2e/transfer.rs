//! Checks transfers of much data within little memory, and of data that arrive after the
//! program that wrote them has ended.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::noise::Noise;
use crate::support::{Ended, python, run};

/// Each form, with the memory that it may take. A composed program has two memories.
const FORMS: [(&str, u64); 2] = [("", 8 << 20), ("-wit", 16 << 20)];

const BYTES: usize = 64 << 20;
const CHUNK: usize = 65536;
const SEED: u64 = 20_250_101;

const ECHO_SERVER: &str = include_str!("peers/echo_server.py");

fn listener() -> (TcpListener, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    (listener, port, rule)
}

/// Makes a listener whose connections buffer as little as the kernel permits.
fn tight_listener() -> (TcpListener, String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap().into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    (listener, port, rule)
}

#[test]
fn a_proxy_of_two_copies_passes_on_what_comes_after_the_end_of_the_other_direction() {
    let (upstream, port, rule) = listener();
    let flags = [
        &format!("--allow-connect={rule}"),
        "--allow-listen=tcp://127.0.0.1:*",
    ];
    let mut proxy = run(&flags, "proxy", &[&port]);
    let mut client = TcpStream::connect(proxy.listening()).unwrap();
    client.write_all(b"the question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (mut server, _) = upstream.accept().unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    assert_eq!(question, "the question");
    let answer = vec![b'.'; 1 << 20];
    server.write_all(&answer).unwrap();
    drop(server);
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received == answer, "{} bytes", received.len());
}

/// Reads to the end, which has to come after exactly so many right bytes.
fn read_noise(mut connection: TcpStream, bytes: usize) {
    let mut noise = Noise::new(SEED);
    let mut buffer = vec![0; CHUNK];
    let mut received = 0;
    loop {
        let count = connection.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        noise.check(&buffer[..count]).unwrap();
        received += count;
    }
    assert_eq!(received, bytes);
}

/// Writes so many bytes, and counts those that the kernel has taken.
fn write_noise(mut connection: TcpStream, bytes: usize, written: &AtomicUsize) {
    let mut noise = Noise::new(SEED);
    for _ in 0..bytes / CHUNK {
        connection.write_all(&noise.bytes(CHUNK)).unwrap();
        written.fetch_add(CHUNK, Ordering::Relaxed);
    }
}

/// Reads a figure of `--stats`.
fn figure(ended: &Ended, name: &str) -> u64 {
    let start = format!(" {name}=");
    let (_, rest) = ended.stderr.split_once(&start).expect("--stats");
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

fn assert_small(ended: &Ended, printed: &str, limit: u64) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{printed} {BYTES}\n"));
    let total = figure(ended, &format!("bytes-{printed}-total"));
    assert!(total >= BYTES as u64, "{total} bytes {printed}");
    let peak = figure(ended, "memory-peak");
    println!("{printed}: memory peak {peak}");
    assert!(peak < limit, "{peak} bytes of memory");
}

#[test]
fn a_guest_sends_64_mib_within_8_mib_of_memory() {
    for (form, limit) in FORMS {
        let (listener, port, rule) = listener();
        let args = ["127.0.0.1", &port, &BYTES.to_string(), &SEED.to_string()];
        let guest = run(
            &["--stats", "--allow-connect", &rule],
            &format!("send{form}"),
            &args,
        );
        read_noise(listener.accept().unwrap().0, BYTES);
        assert_small(&guest.end(), "sent", limit);
    }
}

#[test]
fn a_guest_receives_64_mib_within_8_mib_of_memory() {
    for (form, limit) in FORMS {
        let (listener, port, rule) = listener();
        let guest = run(
            &["--stats", "--allow-connect", &rule],
            &format!("receive{form}"),
            &["127.0.0.1", &port, &SEED.to_string()],
        );
        write_noise(listener.accept().unwrap().0, BYTES, &AtomicUsize::new(0));
        assert_small(&guest.end(), "received", limit);
    }
}

#[test]
fn a_guest_that_does_not_read_makes_its_peer_wait_within_8_mib_of_memory() {
    for (form, limit) in FORMS {
        let (listener, port, rule) = listener();
        let guest = run(
            &["--stats", "--allow-connect", &rule],
            &format!("receive{form}"),
            &["127.0.0.1", &port, &SEED.to_string(), "late"],
        );
        let data = listener.accept().unwrap().0;
        let mut control = listener.accept().unwrap().0;
        let written = Arc::new(AtomicUsize::new(0));
        let writing = thread::spawn({
            let written = written.clone();
            move || write_noise(data, BYTES, &written)
        });
        // A slow peer makes this check weaker, but never fails it.
        let mut before = 0;
        loop {
            thread::sleep(Duration::from_millis(200));
            let now = written.load(Ordering::Relaxed);
            if now > 0 && now == before {
                break;
            }
            before = now;
        }
        assert!(before < BYTES, "nothing made the peer wait");
        control.write_all(b"go\n").unwrap();
        writing.join().unwrap();
        assert_small(&guest.end(), "received", limit);
    }
}

/// The guest writes and returns. Its peer begins to read only then.
fn leaves(bytes: usize, how: &str) {
    for (form, _) in FORMS {
        let (listener, port, rule) = tight_listener();
        let bytes_arg = bytes.to_string();
        let args = ["127.0.0.1", &port, &bytes_arg, &SEED.to_string(), how];
        let mut guest = run(
            &["--linger", "60s", "--allow-connect", &rule],
            &format!("leave{form}"),
            &args,
        );
        guest.wait_for("leaving");
        read_noise(listener.accept().unwrap().0, bytes);
        let ended = guest.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn written_data_arrive_when_the_program_closes_and_returns_at_once() {
    leaves(48 << 10, "close");
}

#[test]
fn written_data_arrive_when_the_program_drops_its_handles_and_returns_at_once() {
    leaves(48 << 10, "drop");
}

#[test]
fn more_than_the_system_keeps_arrives_after_the_program_has_returned() {
    leaves(16 << 20, "close");
    leaves(16 << 20, "drop");
}

#[test]
fn written_data_arrive_when_the_peer_begins_to_read_after_the_program_has_exited() {
    for (form, _) in FORMS {
        let (listener, port, rule) = listener();
        let bytes = 48 << 10;
        let bytes_arg = bytes.to_string();
        let args = ["127.0.0.1", &port, &bytes_arg, &SEED.to_string(), "close"];
        let guest = run(&["--allow-connect", &rule], &format!("leave{form}"), &args);
        assert_eq!(guest.success(), "leaving\n");
        read_noise(listener.accept().unwrap().0, bytes);
    }
}

/// The guest writes more than the kernel buffers and returns. Its peer never reads.
fn is_cut(form: &str) {
    let (listener, port, rule) = tight_listener();
    let bytes = (16 << 20).to_string();
    let args = ["127.0.0.1", &port, &bytes, &SEED.to_string(), "close"];
    let guest = run(
        &["--linger", "100ms", "--allow-connect", &rule],
        &format!("leave{form}"),
        &args,
    );
    let _silent = listener.accept().unwrap().0;
    let ended = guest.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("--linger"), "{ended:?}");
}

#[test]
fn a_composed_program_whose_peer_never_reads_ends_after_the_linger_time() {
    is_cut("-wit");
}

#[test]
fn a_static_program_whose_peer_never_reads_ends_after_the_linger_time() {
    is_cut("");
}

#[test]
fn streams_of_bytes_become_readers_and_writers_and_the_other_way_round() {
    for (form, _) in FORMS {
        let mut echo = python(ECHO_SERVER, &["127.0.0.1"]);
        let port = echo.wait_for("port ");
        let rule = format!("tcp://127.0.0.1:{port}");
        let guest = run(
            &["--allow-connect", &rule],
            &format!("byte-stream{form}"),
            &["127.0.0.1", &port, "300000"],
        );
        assert_eq!(
            guest.success(),
            "sent 300000\nsame true\n",
            "byte-stream{form}"
        );
    }
}

//! Checks several workers that serve one port.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::{connect, exchange, is_over, is_reset};
use crate::support::ports::LoopbackAddress;
use crate::support::{PATIENCE, Process, run};

const FORMS: [&str; 2] = ["", "-wit"];

fn two_workers(form: &str, flags: &[&str]) -> (Process, SocketAddr) {
    two_workers_on("127.0.0.1", form, flags)
}

fn two_workers_on(ip: &str, form: &str, flags: &[&str]) -> (Process, SocketAddr) {
    let rule = format!("tcp://{ip}:0");
    let grants = ["--workers", "2", "--allow-listen", &rule];
    let flags = [&grants, flags].concat();
    let mut server = run(&flags, &format!("commanded-server{form}"), &[ip, "0"]);
    let address = server.listening();
    (server, address)
}

/// Returns a client of each worker.
fn one_of_each(address: SocketAddr) -> (TcpStream, TcpStream) {
    let deadline = Instant::now() + PATIENCE;
    let (first, whose) = ask(address);
    loop {
        assert!(Instant::now() < deadline, "one worker takes all clients");
        let (client, who) = ask(address);
        if who != whose {
            return (first, client);
        }
    }
}

/// Waits until a worker has used half a second of processor time.
fn until_one_computes(server: &Process) {
    let deadline = Instant::now() + PATIENCE;
    let tasks = format!("/proc/{}/task", server.id());
    let computes = || {
        let tasks = fs::read_dir(&tasks).unwrap();
        tasks.flatten().any(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let times = stat
                .rsplit_once(')')
                .filter(|(name, _)| name.contains("(worker"));
            let ticks = times.and_then(|(_, times)| times.split_whitespace().nth(11)?.parse().ok());
            ticks.is_some_and(|ticks: u64| ticks > 50)
        })
    };
    while !computes() {
        assert!(Instant::now() < deadline, "no worker computes");
        thread::yield_now();
    }
}

/// Connects, and asks which worker serves the client.
fn ask(address: SocketAddr) -> (TcpStream, String) {
    let mut client = connect(address);
    client.write_all(b"who\n").unwrap();
    let mut who = String::new();
    let mut reader = BufReader::new(&client);
    reader.read_line(&mut who).unwrap();
    (client, who)
}

#[test]
fn a_worker_that_computes_holds_up_no_other() {
    for form in FORMS {
        let (server, address) = two_workers(form, &["--grace", "0s"]);
        let (mut busy, mut client) = one_of_each(address);
        busy.write_all(b"compute\n").unwrap();
        until_one_computes(&server);
        for line in ["one\n", "two\n", "three\n"] {
            exchange(&mut client, line);
        }
        server.signal("TERM");
        assert!(is_over(&mut client) && is_reset(&mut busy));
        let ended = server.end();
        assert_eq!(ended.code, Some(143), "{ended:?}");
        let listening = format!("listening on {address}\n");
        assert_eq!(ended.stderr.matches(&listening).count(), 1, "{ended:?}");
        assert!(
            ended.stderr.contains("did not end within 0ns of SIGTERM"),
            "{ended:?}"
        );
    }
}

#[test]
fn workers_that_are_stopped_end_by_themselves() {
    for form in FORMS {
        // The workers share a port that the kernel has picked.
        let own = LoopbackAddress::new();
        let (server, address) = two_workers_on(&own.ip().to_string(), form, &[]);
        let mut clients: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
        for client in &mut clients {
            exchange(client, "hello\n");
        }
        server.signal("INT");
        for client in &mut clients {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        assert_eq!(server.end().code, Some(0));
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn the_end_of_one_worker_by_a_trap_is_the_end_of_all_with_its_code() {
    for form in FORMS {
        let (server, address) = two_workers(form, &[]);
        let mut idle: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
        for client in &mut idle {
            exchange(client, "hello\n");
        }
        connect(address).write_all(b"panic\n").unwrap();
        assert!(idle.iter_mut().all(is_over));
        let ended = server.end();
        assert_eq!(ended.code, Some(134), "{ended:?}");
        assert_eq!(
            // Compilers name the module after the crate, with underscores.
            ended.stderr.matches("trap in behaviours").count(),
            1,
            "{ended:?}"
        );
    }
}

#[test]
fn a_worker_that_traps_is_not_held_up_by_one_that_computes() {
    for form in FORMS {
        let (server, address) = two_workers(form, &["--grace", "0s"]);
        let (mut busy, mut fatal) = one_of_each(address);
        busy.write_all(b"compute\n").unwrap();
        until_one_computes(&server);
        fatal.write_all(b"panic\n").unwrap();
        assert!(is_reset(&mut fatal) && is_reset(&mut busy));
        let ended = server.end();
        assert_eq!(ended.code, Some(134), "{ended:?}");
        assert!(
            ended
                .stderr
                .contains("did not end within 0ns of the end of another worker"),
            "{ended:?}"
        );
    }
}

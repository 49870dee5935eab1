//! Checks what the kernel shows of servers, and how they behave when it refuses.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::support::{Ended, PATIENCE, Process, run, run_apart};

const FORMS: [&str; 2] = ["", "-wit"];
const ANYWHERE: &str = "--allow-listen=tcp://127.0.0.1:*";

fn connect(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"x").unwrap();
    client
}

/// Returns true if the server answers within this time.
fn answered(mut client: &TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).unwrap();
    matches!(client.read(&mut [0]), Ok(1))
}

/// Waits until the server answers the client, or reports that it has no descriptor left.
fn is_served(client: &TcpStream, server: &mut Process) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !answered(client, Duration::from_millis(100)) {
        if server.has_printed("asyncio-streams: accept failed") {
            return false;
        }
        assert!(Instant::now() < deadline, "neither an answer nor a report");
    }
    true
}

#[test]
fn ss15_out_of_descriptors_accepting_pauses_is_reported_once_and_goes_on() {
    for form in FORMS {
        let mut server = run(
            &[ANYWHERE],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        );
        let address = server.listening();
        server.limit_descriptors(64);
        let mut served = Vec::new();
        let waiting = loop {
            let client = connect(address);
            match is_served(&client, &mut server) {
                true => served.push(client),
                false => break client,
            }
            assert!(served.len() < 64, "it has more descriptors than it may");
        };
        // The server retries once a second (row K8), so this covers several tries without
        // a descriptor.
        let began = Instant::now();
        assert!(!answered(&waiting, Duration::from_millis(2500)));
        assert!(began.elapsed() >= Duration::from_millis(2500));
        // Connected clients are served meanwhile.
        for mut client in &served {
            client.write_all(b"y").unwrap();
            assert!(answered(client, PATIENCE));
        }
        served.truncate(served.len() / 2);
        assert!(answered(&waiting, PATIENCE), "there is room again");
        assert!(answered(&connect(address), PATIENCE));
        server.signal("INT");
        let ended = server.end();
        let reports = ended.stderr.matches("accept failed").count();
        assert_eq!(reports, 1, "{ended:?}");
    }
}

#[test]
fn l34_idle_connections_are_probed_where_asked_for() {
    for form in FORMS {
        let mut server = run(&[ANYWHERE], &format!("keeps-alive{form}"), &["5"]);
        let address = server.listening();
        let _client = TcpStream::connect(address).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while timer_of_connections(address.port()) != ["02"] {
            assert!(Instant::now() < deadline, "it is not probed");
        }

        let mut server = run(
            &[ANYWHERE],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        );
        let address = server.listening();
        let client = connect(address);
        assert!(answered(&client, PATIENCE));
        // 01 means retransmission: an acknowledgement may still be under way.
        while timer_of_connections(address.port()) == ["01"] {}
        assert_eq!(timer_of_connections(address.port()), ["00"]);
    }
}

#[test]
fn k7_the_backlog_is_the_one_asked_for_or_100() {
    for form in FORMS {
        let mut server = run(&[ANYWHERE], &format!("keeps-alive{form}"), &["7"]);
        assert_eq!(backlog(server.listening().port()), "7");
        let mut server = run(
            &[ANYWHERE],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        );
        assert_eq!(backlog(server.listening().port()), "100");
    }
}

#[test]
fn l41_connections_that_are_reset_before_they_are_accepted_are_passed_over() {
    for form in FORMS {
        let mut server = run(
            &[ANYWHERE],
            &format!("echo-server{form}"),
            &["127.0.0.1", "0"],
        );
        let address = server.listening();
        for _ in 0..100 {
            let client = TcpStream::connect(address).unwrap();
            let reset = Some(Duration::ZERO);
            SockRef::from(&client).set_linger(reset).unwrap();
        }
        assert!(answered(&connect(address), PATIENCE));
        server.signal("INT");
        let ended = server.end();
        assert!(!ended.stderr.contains("accept failed"), "{ended:?}");
    }
}

/// Runs the program in a network namespace without IPv6, if this machine can make one.
fn without_ipv6(form: &str, hosts: &[&str]) -> Option<Ended> {
    let script = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
    let flags = [
        "--allow-listen=tcp://*:*",
        "--allow-listen=tcp://localhost:*",
    ];
    run_apart(script, &flags, &format!("listens{form}"), hosts)
}

#[test]
fn l28_addresses_of_a_host_that_are_not_on_this_machine_are_passed_over() {
    for form in FORMS {
        let Some(ended) = without_ipv6(form, &["localhost"]) else {
            return;
        };
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.starts_with("127.0.0.1:"), "{ended:?}");
    }
}

#[test]
fn l29_a_host_without_an_address_of_this_machine_fails_the_call() {
    for form in FORMS {
        let Some(ended) = without_ipv6(form, &["127.0.0.1", "::1"]) else {
            return;
        };
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("listen on [::1]:"), "{ended:?}");
    }
}

/// Reads the kernel's timers of established connections with this local port.
fn timer_of_connections(port: u16) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words[1].ends_with(&local) && words[3] == "01")
        .map(|words| words[5][..2].to_owned())
        .collect()
}

/// Reads how many connections may wait at the listener.
fn backlog(port: u16) -> String {
    let filter = format!("sport = :{port}");
    let sockets = Command::new("ss")
        .args(["-Hltn", &filter])
        .output()
        .unwrap();
    let sockets = String::from_utf8(sockets.stdout).unwrap();
    sockets.split_whitespace().nth(2).unwrap().to_owned()
}

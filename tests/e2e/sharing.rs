//! Checks listeners that several programs of one process share.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use asyncio_streams_host::compose::builtin_streams;
use asyncio_streams_host::{
    Cache, Exit, RunReport, Runner, SharedListeners, Stats, StopHandle, StreamsCtx, engine,
    policy::Policy,
};
use wasmtime_wasi::WasiCtx;

use crate::support::listening::Listening;
use crate::support::ports::LoopbackAddress;
use crate::support::{PATIENCE, cache, component};

/// A program on a thread of its own.
struct Guest {
    stop: StopHandle,
    stats: Stats,
    listening: Receiver<SocketAddr>,
    thread: JoinHandle<RunReport>,
}

impl Guest {
    fn start(name: &str, listeners: &SharedListeners, rules: &[&str], port: u16) -> Guest {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Guest::on(address, name, listeners, rules)
    }

    fn on(address: SocketAddr, name: &str, listeners: &SharedListeners, rules: &[&str]) -> Guest {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        Guest::with_args(&[name, &ip, &port], listeners, rules)
    }

    /// Starts the program that the first argument names.
    fn with_args(args: &[&str], listeners: &SharedListeners, rules: &[&str]) -> Guest {
        let mut policy = Policy::new();
        for rule in rules {
            policy.allow_listen(rule.parse().unwrap());
        }
        let (told, listening) = channel();
        let observer = Listening::new(move |address| told.send(address).unwrap());
        let ctx = StreamsCtx::builder()
            .policy(policy)
            .observer(observer.ignoring_denials())
            .shared_listeners(listeners)
            .build();
        let wasi = WasiCtx::builder().args(args).build();
        let runner = Runner::new(ctx, wasi);
        let program = std::fs::read(component(args[0])).unwrap();
        Guest {
            stop: runner.stop_handle(),
            stats: runner.stats(),
            listening,
            thread: thread::spawn(move || {
                let engine = engine().unwrap();
                let compiled = Cache::open(cache()).unwrap();
                let compiled = compiled.component(&engine, &program, builtin_streams());
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let compiled = compiled.unwrap();
                runtime.block_on(runner.run(&engine, &compiled)).unwrap()
            }),
        }
    }

    fn address(&self) -> SocketAddr {
        self.listening.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until the program listens, on its own socket or on a shared one.
    fn listens(&self) {
        while self.stats.snapshot().listeners_open == 0 {
            assert!(!self.thread.is_finished(), "it ended");
            thread::yield_now();
        }
    }

    fn stop(self) -> RunReport {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}

fn exchange(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    client
}

fn is_refused(address: SocketAddr) -> bool {
    let error = TcpStream::connect_timeout(&address, Duration::from_secs(10)).err();
    error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

const ANYWHERE: &str = "tcp://127.0.0.1:*";

#[test]
fn an_address_is_served_until_the_last_guest_that_shares_it_is_stopped() {
    for name in ["echo-server", "echo-server-wit"] {
        let listeners = SharedListeners::new();
        let own = LoopbackAddress::new();
        let free = SocketAddr::from((own.ip(), 0));
        let start = |at| Guest::on(at, name, &listeners, &["tcp://127.0.0.0/8:*"]);
        let first = start(free);
        let address = first.address();
        let second = start(free);
        second.listens();
        drop(exchange(address));
        assert!(matches!(first.stop().exit, Exit::Success));
        let client = exchange(address);
        assert!(
            second.stats.snapshot().sockets_open >= 2,
            "it has the client"
        );
        assert!(matches!(second.stop().exit, Exit::Success));
        drop(client);
        assert!(is_refused(address));
        // The address is free again.
        let third = start(address);
        assert_eq!(third.address(), address);
        let fourth = start(address);
        fourth.listens();
        drop(exchange(address));
        assert!(matches!(third.stop().exit, Exit::Success));
        drop(exchange(address));
        assert!(matches!(fourth.stop().exit, Exit::Success));
    }
}

/// The kernel wakes every guest that waits for a connection, and the fastest takes it.
#[test]
fn connections_that_come_one_by_one_are_spread_over_the_guests() {
    const GUESTS: usize = 4;
    const CONNECTIONS: usize = 400;
    for name in ["echo-server", "echo-server-wit"] {
        let listeners = SharedListeners::new();
        let start = || Guest::start(name, &listeners, &[ANYWHERE], 0);
        let first = start();
        let address = first.address();
        let guests: Vec<Guest> = std::iter::once(first)
            .chain((1..GUESTS).map(|_| start()))
            .collect();
        guests.iter().for_each(Guest::listens);
        let open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| exchange(address)).collect();
        let counts: Vec<usize> = guests
            .iter()
            .map(|guest| guest.stats.snapshot().sockets_open.saturating_sub(1))
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), CONNECTIONS, "{counts:?}");
        let mean = CONNECTIONS / GUESTS;
        let fair = |count: &usize| *count <= mean * 3 / 2;
        assert!(counts.iter().all(fair), "{name}: {counts:?}");
        drop(open);
        for guest in guests {
            assert!(matches!(guest.stop().exit, Exit::Success));
        }
    }
}

#[test]
fn a_guest_shares_an_explicit_address_only_with_a_rule_of_its_own() {
    let listeners = SharedListeners::new();
    let first = Guest::start("echo-server", &listeners, &[ANYWHERE], 0);
    let address = first.address();
    let denied = Guest::start(
        "echo-server",
        &listeners,
        &["tcp://127.0.0.1:1"],
        address.port(),
    );
    let report = denied.thread.join().unwrap();
    assert!(matches!(report.exit, Exit::Failure), "{report:?}");
    assert_eq!(report.stats.denied_total, 1);
    drop(exchange(address));
    assert!(matches!(first.stop().exit, Exit::Success));
}

#[test]
fn without_sharing_an_address_in_use_is_in_use() {
    let first = Guest::start("echo-server", &SharedListeners::new(), &[ANYWHERE], 0);
    let address = first.address();
    let others = SharedListeners::new();
    let second = Guest::start("echo-server", &others, &[ANYWHERE], address.port());
    let report = second.thread.join().unwrap();
    assert!(matches!(report.exit, Exit::Failure), "{report:?}");
    assert!(matches!(first.stop().exit, Exit::Success));
}

/// Starts a program that sets SO_REUSEPORT, so that other processes can share the port.
fn reusing(name: &str, listeners: &SharedListeners, rules: &[&str], at: SocketAddr) -> Guest {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    Guest::with_args(&["shares", name, &ip, &port], listeners, rules)
}

#[test]
fn a_guest_that_reuses_a_port_needs_a_rule_that_names_it_also_to_share_it() {
    let listeners = SharedListeners::new();
    let own = LoopbackAddress::new();
    let anywhere = ["tcp://127.0.0.0/8:*"];
    let first = reusing("first", &listeners, &anywhere, (own.ip(), 0).into());
    let address = first.address();
    let denied = reusing("denied", &listeners, &anywhere, address);
    let report = denied.thread.join().unwrap();
    assert!(matches!(report.exit, Exit::Failure), "{report:?}");
    assert_eq!(report.stats.denied_total, 1);

    let rule = format!("tcp://{address}");
    let second = reusing("second", &listeners, &[&rule], address);
    second.listens();
    assert!(matches!(first.stop().exit, Exit::Success));
    let mut answer = String::new();
    let mut client = TcpStream::connect(address).unwrap();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "second");
    assert!(matches!(second.stop().exit, Exit::Success));
    assert!(is_refused(address));
}

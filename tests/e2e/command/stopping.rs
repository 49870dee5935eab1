//! Checks how servers stop.

use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use asyncio_streams_host::compose::builtin_streams;
use asyncio_streams_host::{
    Cache, Exit, Linger, RunReport, Runner, StopHandle, StreamsCtx, engine, policy::Policy,
};
use tokio::sync::mpsc::unbounded_channel;
use wasmtime_wasi::WasiCtx;

use super::{connect, exchange, is_over, is_reset};
use crate::support::listening::Listening;
use crate::support::ports::ReservedPort;
use crate::support::{Process, cache, component, run};

const FORMS: [&str; 2] = ["", "-wit"];

/// Starts a server with these options of the command.
fn server(name: &str, flags: &[&str]) -> (Process, SocketAddr) {
    server_on(0, name, flags)
}

fn server_on(port: u16, name: &str, flags: &[&str]) -> (Process, SocketAddr) {
    let rule = format!("tcp://127.0.0.1:{port}");
    let flags = [&["--allow-listen", &rule], flags].concat();
    let mut server = run(&flags, name, &["127.0.0.1", &port.to_string()]);
    let address = server.listening();
    (server, address)
}

/// Connects, and waits until the server has answered.
fn client(address: SocketAddr) -> TcpStream {
    let mut client = connect(address);
    exchange(&mut client, "hello\n");
    client
}

fn is_refused(address: SocketAddr) -> bool {
    let error = TcpStream::connect(address).err();
    error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn a_server_that_is_stopped_lets_its_clients_finish_and_takes_no_others() {
    for (form, signal) in [("", "TERM"), ("-wit", "TERM"), ("", "INT"), ("-wit", "INT")] {
        let free = ReservedPort::new();
        let name = format!("finishes{form}");
        let (mut server, address) = server_on(free.number(), &name, &[]);
        let mut client = client(address);
        server.signal(signal);
        server.wait_for("no longer serving");
        server.wait_for("nor is another server");
        assert!(is_refused(address));
        exchange(&mut client, "one more\n");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        server.wait_for("all clients have left");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stderr, format!("listening on {address}\n"));
    }
}

#[test]
fn idle_connections_of_a_server_that_is_stopped_end_with_its_scope() {
    for form in FORMS {
        let (server, address) = server(&format!("echo-server{form}"), &[]);
        let mut clients: Vec<TcpStream> = (0..10).map(|_| client(address)).collect();
        server.signal("TERM");
        for client in &mut clients {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[test]
fn a_server_that_accepts_by_itself_ends_when_it_is_stopped() {
    let free = ReservedPort::new();
    let (server, address) = server_on(free.number(), "tcp-echo-server-wit", &[]);
    let mut client = connect(address);
    server.signal("INT");
    assert!(is_over(&mut client));
    let ended = server.end();
    assert_eq!(
        (ended.code, is_refused(address)),
        (Some(0), true),
        "{ended:?}"
    );
}

#[test]
fn connections_that_are_not_finished_when_the_time_is_over_are_reset() {
    for (form, signal, code) in [("", "TERM", 143), ("-wit", "INT", 130)] {
        let (server, address) = server(&format!("finishes{form}"), &["--grace", "100ms"]);
        let mut client = client(address);
        server.signal(signal);
        assert!(is_reset(&mut client));
        let ended = server.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let line = format!(
            "asyncio-streams: the program did not end within 100ms of SIG{signal}; connections not \
             finished: 1; they are reset (allow more time with --grace)\n"
        );
        assert!(ended.stderr.ends_with(&line), "{ended:?}");
    }
}

#[test]
fn a_second_signal_ends_a_server_at_once_and_resets_its_connections() {
    for form in FORMS {
        let (mut server, address) = server(&format!("finishes{form}"), &["--grace", "1000m"]);
        let mut client = client(address);
        server.signal("INT");
        server.wait_for("no longer serving");
        server.signal("TERM");
        assert!(is_reset(&mut client));
        assert_eq!(server.end().code, Some(143));
    }
}

/// Makes a runner of the program in this process, on any free port.
fn runner(name: &str) -> (Runner, UnboundedReceiver) {
    runner_on(0, name)
}

fn runner_on(port: u16, name: &str) -> (Runner, UnboundedReceiver) {
    let mut policy = Policy::new();
    policy.allow_listen(format!("tcp://127.0.0.1:{port}").parse().unwrap());
    let (listening, addresses) = unbounded_channel();
    let ctx = StreamsCtx::builder()
        .policy(policy)
        .observer(Listening::new(move |address| {
            listening.send(address).unwrap()
        }))
        .build();
    let wasi = WasiCtx::builder()
        .args(&[name, "127.0.0.1", &port.to_string()])
        .build();
    (Runner::new(ctx, wasi), addresses)
}

type UnboundedReceiver = tokio::sync::mpsc::UnboundedReceiver<SocketAddr>;

/// Runs a server until it ends or until `visit` returns, which is called with its
/// address.
fn embedded<T: Send + 'static>(
    runner: Runner,
    mut addresses: UnboundedReceiver,
    name: &str,
    visit: impl FnOnce(SocketAddr) -> T + Send + 'static,
    after: impl AsyncFnOnce(std::pin::Pin<Box<dyn Future<Output = RunReport> + '_>>, T),
) {
    let engine = engine().unwrap();
    let program = std::fs::read(component(name)).unwrap();
    let compiled = Cache::open(cache()).unwrap();
    let compiled = compiled
        .component(&engine, &program, builtin_streams())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut running = Box::pin(async { runner.run(&engine, &compiled).await.unwrap() });
        let visited = async {
            let address = addresses.recv().await.unwrap();
            tokio::task::spawn_blocking(move || visit(address))
                .await
                .unwrap()
        };
        let visited = tokio::select! {
            ended = &mut running => panic!("it ended: {ended:?}"),
            visited = visited => visited,
        };
        after(running, visited).await;
    });
}

#[test]
fn an_embedder_stops_a_server_as_the_command_does() {
    for form in FORMS {
        let name = format!("finishes{form}");
        let (runner, addresses) = runner(&name);
        let (stats, stop) = (runner.stats(), runner.stop_handle());
        embedded(
            runner,
            addresses,
            &name,
            client,
            async |running, mut client| {
                assert!(stop.has_served() && !stop.is_stopping());
                stop.stop();
                let leaving = tokio::task::spawn_blocking(move || {
                    exchange(&mut client, "one more\n");
                    drop(client);
                });
                let (report, left) = tokio::join!(running, leaving);
                left.unwrap();
                assert!(matches!(report.exit, Exit::Success), "{report:?}");
                assert_eq!(report.linger, Linger::Finished);
                assert_eq!(stats.snapshot().sockets_open, 0);
            },
        );
    }
}

#[test]
fn a_server_has_the_grace_of_its_runner() {
    let (runner, addresses) = runner("finishes");
    let runner = runner.grace(Duration::ZERO);
    let stop = runner.stop_handle();
    embedded(
        runner,
        addresses,
        "finishes",
        client,
        async |running, mut client| {
            stop.stop();
            let report = running.await;
            assert!(matches!(report.exit, Exit::Stopped), "{report:?}");
            assert_eq!(report.exit.code(), 143);
            assert_eq!(report.stats.unfinished(), 1);
            assert!(is_reset(&mut client));
        },
    );
}

#[test]
fn dropping_a_run_resets_its_connections() {
    let (runner, addresses) = runner("finishes");
    embedded(
        runner,
        addresses,
        "finishes",
        client,
        async |running, mut client| {
            drop(running);
            assert!(is_reset(&mut client));
        },
    );
}

#[test]
fn a_listener_is_closed_while_the_guest_is_not_polled() {
    let free = ReservedPort::new();
    let (runner, addresses) = runner_on(free.number(), "finishes");
    let stop: StopHandle = runner.stop_handle();
    let visit = |address| (client(address), address);
    embedded(
        runner,
        addresses,
        "finishes",
        visit,
        async |running, (_client, address)| {
            stop.stop();
            assert!(is_refused(address));
            drop(running);
        },
    );
}

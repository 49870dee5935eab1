//! Checks that Unix sockets leave nothing behind.

use std::path::Path;

use asyncio_streams_host::policy::Policy;
use asyncio_streams_host::{Runner, StreamsCtx, engine};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;
use wasmtime_wasi::WasiCtx;

use super::{BASELINE, answer, expect, load, order, run, settled};

/// All modes of the guest.
const MODES: [&str; 12] = [
    "complete",
    "dropped",
    "reset",
    "refused",
    "missing",
    "denied",
    "cancelled",
    "timed-out",
    "paired",
    "unused",
    "served",
    "taken",
];

/// Answers each connection's byte with the same byte and closes.
async fn echo(listener: UnixListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        spawn_local(answer(connection));
    }
}

/// Closes each connection with unread data, which resets it.
async fn reset(listener: UnixListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        connection.readable().await.unwrap();
    }
}

/// Makes a listener whose queue is full, and the client that waits in it.
fn full(path: &Path) -> (Socket, std::os::unix::net::UnixStream) {
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let waiting = std::os::unix::net::UnixStream::connect(path).unwrap();
    (listener, waiting)
}

/// The guest takes `count` connections.
async fn visit(server: &Path, count: usize) {
    for _ in 0..count {
        let mut visit = UnixStream::connect(server).await.unwrap();
        visit.write_all(b"x").await.unwrap();
        let mut answer = Vec::new();
        visit.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"x");
    }
}

async fn nothing_is_left_behind_by(guest: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name| folder.path().join(name);
    let listen = |name| UnixListener::bind(at(name)).unwrap();
    let control = listen("control");
    let peers = [
        spawn_local(echo(listen("echo"))),
        spawn_local(reset(listen("reset"))),
    ];
    drop(listen("deaf"));
    let _full = full(&at("full"));
    let all = format!("unix://{}/*", folder.path().display());
    let mut policy = Policy::new();
    policy.allow_connect(all.parse().unwrap());
    policy.allow_listen(all.parse().unwrap());

    let engine = engine().unwrap();
    let component = load(&engine, guest);
    let ctx = StreamsCtx::builder().policy(policy).build();
    let wasi = WasiCtx::builder()
        .args(&[guest, folder.path().to_str().unwrap()])
        .inherit_stderr()
        .build();
    let runner = Runner::new(ctx, wasi);
    let stats = runner.stats();
    let test = async {
        let mut control = BufReader::new(control.accept().await.unwrap().0);
        let mut ready = String::new();
        control.read_line(&mut ready).await.unwrap();
        for mode in MODES {
            order(&mut control, mode, BASELINE).await;
        }
        visit(&at("server"), BASELINE).await;
        let before = settled(&stats).await;
        eprintln!("{guest} after {BASELINE} of each: {before:?}");
        for mode in MODES {
            order(&mut control, mode, 1000).await;
            expect(&stats, before, &format!("1000 {mode}")).await;
        }
        visit(&at("server"), 5000).await;
        expect(&stats, before, "5000 accepted").await;
        assert!(!at("another").exists());
    };
    let running = runner.run(&engine, &component);
    let (report, ()) = tokio::join!(running, test);
    let report = report.unwrap();
    assert_eq!(report.exit.code(), 0, "{:?}", report.exit);
    assert_eq!(report.stats.sockets_open, 0);
    assert!(!at("server").exists());
    for peer in peers {
        peer.abort();
    }
}

#[test]
fn unix_sockets_of_a_static_guest_leave_nothing_behind() {
    run(nothing_is_left_behind_by("unix-churn"));
}

#[test]
fn unix_sockets_of_a_composed_guest_leave_nothing_behind() {
    run(nothing_is_left_behind_by("unix-churn-wit"));
}

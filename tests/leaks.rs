//! Checks that thousands of connections leave nothing behind, and that idle ones hold
//! little.
//!
//! This is a test binary of its own whose tests run one after the other, because it
//! counts the descriptors of the process.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "e2e/support/listening.rs"]
mod listening;
#[path = "leaks/python.rs"]
mod python;
#[path = "leaks/unix.rs"]
mod unix;

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use asyncio_streams_host::policy::Policy;
use asyncio_streams_host::tls::{Identity, Roots, Tls};
use asyncio_streams_host::{Limits, Runner, Stats, StreamsCtx, compose, engine};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime_wasi::WasiCtx;

use listening::Listening;

/// Longer than anything takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const BASELINE: usize = 100;

/// The figures that may not grow.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    sockets: usize,
    table: usize,
    concurrent: usize,
    memory: usize,
    descriptors: usize,
}

async fn held(stats: &Stats) -> Held {
    let sample = stats.sample().await;
    Held {
        sockets: sample.sockets_open,
        table: sample.table_len,
        concurrent: sample.concurrent_len,
        memory: sample.memory_bytes,
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
    }
}

/// Waits until the figures are `expected`. The last connections may still be closing.
async fn expect(stats: &Stats, expected: Held, after: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = held(stats).await;
        if now == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "after {after}: {now:?}, expected {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the figures stop changing.
async fn settled(stats: &Stats) -> Held {
    let mut last = held(stats).await;
    let mut same = 0;
    while same < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = held(stats).await;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// The control connection to the guest.
struct Control {
    lines: BufReader<TcpStream>,
    port: u16,
}

impl Control {
    async fn accept(listener: &TcpListener) -> Control {
        let (control, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(control);
        let mut port = String::new();
        lines.read_line(&mut port).await.unwrap();
        Control {
            lines,
            port: port.trim().parse().unwrap(),
        }
    }

    /// Has the guest make `count` connections to `port`.
    async fn run(&mut self, mode: &str, count: usize, port: u16) {
        let order = format!("{mode} {count} {port}\n");
        self.lines
            .get_mut()
            .write_all(order.as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        self.lines.read_line(&mut answer).await.unwrap();
        assert_eq!(answer, "done\n", "{mode}");
    }

    /// Makes `count` connections to the guest.
    async fn visit(&self, count: usize) {
        for _ in 0..count {
            let mut visit = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            visit.write_all(b"x").await.unwrap();
            let mut answer = Vec::new();
            visit.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"x");
        }
    }

    /// Makes `count` connections to the guest and resets them, one after the other.
    async fn visit_and_reset(&self, count: usize) {
        for _ in 0..count {
            let visit = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            visit.set_zero_linger().unwrap();
            drop(visit);
            // The guest accepts in order, so the answer to this one shows that it has
            // accepted that one.
            self.visit(1).await;
        }
    }
}

/// Answers each connection's byte with the same byte and closes.
async fn echo(listener: TcpListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        spawn_local(answer(connection));
    }
}

async fn answer(mut connection: impl AsyncRead + AsyncWrite + Unpin) {
    let mut byte = [0];
    if connection.read_exact(&mut byte).await.is_ok() {
        drop(connection.write_all(&byte).await);
    }
    // The guest closes, or has closed already.
    drop(connection.read(&mut byte).await);
}

/// Resets each connection once it has sent something.
async fn reset(listener: TcpListener) {
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        drop(connection.read(&mut [0]).await);
        connection.set_zero_linger().unwrap();
    }
}

/// Makes a listener of IPv4 whose port never answers in IPv6, which clients try first.
async fn echo_with_silence() -> (TcpListener, u16, (TcpListener, Vec<TcpStream>)) {
    loop {
        let (listener, port) = local().await;
        match black_hole((Ipv6Addr::LOCALHOST, port).into()).await {
            Ok(silent) => return (listener, port, silent),
            // Another program has the port in IPv6.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Makes an address where connections are neither accepted nor refused.
async fn black_hole(address: SocketAddr) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.unwrap();
    socket.bind(address)?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // The kernel drops further connects when the queue is full.
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(connected.unwrap());
    }
    Ok((listener, waiting))
}

async fn local() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn read(guest: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/components")
        .join(format!("{guest}.wasm"));
    std::fs::read(path).unwrap()
}

fn load(engine: &Engine, guest: &str) -> Component {
    let application = read(guest);
    let program = compose::prepare(&application, compose::builtin_streams()).unwrap();
    Component::from_binary(engine, &program).unwrap()
}

async fn nothing_is_left_behind_by(guest: &str, handles: Option<usize>) {
    let (control, control_port) = local().await;
    let (resetting, reset_port) = local().await;
    // Bound and not listening: the kernel refuses connections, and keeps the port.
    let refusing = TcpSocket::new_v4().unwrap();
    refusing.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refused_port = refusing.local_addr().unwrap().port();
    let (hole, _waiting) = black_hole(([127, 0, 0, 1], 0).into()).await.unwrap();
    let hole_port = hole.local_addr().unwrap().port();
    let (echoing, echo_port, _silent) = echo_with_silence().await;
    let (denied, denied_port) = local().await;

    let mut policy = Policy::new();
    for port in [control_port, echo_port, reset_port, refused_port, hole_port] {
        policy.allow_connect(format!("tcp://127.0.0.1:{port}").parse().unwrap());
    }
    policy.allow_connect(format!("tcp://[::1]:{echo_port}").parse().unwrap());
    policy.allow_listen("tcp://127.0.0.1:0".parse().unwrap());
    let mut limits = Limits::default();
    if let Some(handles) = handles {
        limits.handles = handles;
    }

    let engine = engine().unwrap();
    let component = load(&engine, guest);
    let ctx = StreamsCtx::builder().policy(policy).limits(limits).build();
    let wasi = WasiCtx::builder()
        .args(&[guest, "127.0.0.1", &control_port.to_string()])
        .inherit_stderr()
        .build();
    let runner = Runner::new(ctx, wasi);
    let stats = runner.stats();

    let peers = [spawn_local(echo(echoing)), spawn_local(reset(resetting))];
    let test = async {
        let mut control = Control::accept(&control).await;
        let modes = [
            ("complete", 10_000, echo_port),
            ("dropped", 1000, echo_port),
            ("refused", 1000, refused_port),
            ("reset", 1000, reset_port),
            ("denied", 1000, denied_port),
            ("cancelled", 1000, hole_port),
            ("timed-out", 1000, hole_port),
            ("overtaken", 1000, echo_port),
        ];
        for (mode, _, port) in modes {
            control.run(mode, BASELINE, port).await;
        }
        control.visit(BASELINE).await;
        control.visit_and_reset(BASELINE).await;
        let before = settled(&stats).await;
        eprintln!("{guest} after {BASELINE} of each: {before:?}");
        for (mode, count, port) in modes {
            control.run(mode, count, port).await;
            expect(&stats, before, &format!("{count} {mode}")).await;
        }
        control.visit(10_000).await;
        expect(&stats, before, "10000 accepted").await;
        control.visit_and_reset(1000).await;
        expect(&stats, before, "1000 accepted and reset").await;
    };
    let running = runner.run(&engine, &component);
    let (report, ()) = tokio::join!(running, test);
    let report = report.unwrap();
    assert_eq!(report.exit.code(), 0, "{:?}", report.exit);
    assert_eq!(report.stats.sockets_open, 0);
    for peer in peers {
        peer.abort();
    }
    drop((denied, refusing));
}

/// Both ends of each session belong to the guest.
async fn sessions_leave_nothing_behind() {
    let (control, control_port) = local().await;
    let mut policy = Policy::new();
    policy.allow_connect("tcp://127.0.0.1:*".parse().unwrap());
    policy.allow_listen("tcp://127.0.0.1:0".parse().unwrap());
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let identity = Identity::from_pem("server", certificate.as_bytes(), key.as_bytes());
    let tls = Tls::builder()
        .identity(identity.unwrap())
        .roots(Roots::from_pem(certificate.as_bytes()).unwrap())
        .build()
        .unwrap();
    let engine = engine().unwrap();
    let component = load(&engine, "tls-churn");
    let ctx = StreamsCtx::builder().policy(policy).tls(tls).build();
    let wasi = WasiCtx::builder()
        .args(&["tls-churn", &control_port.to_string()])
        .inherit_stderr()
        .build();
    let runner = Runner::new(ctx, wasi);
    let stats = runner.stats();
    let test = async {
        let mut control = BufReader::new(control.accept().await.unwrap().0);
        let modes = ["complete", "dropped", "refused", "stalled"];
        for mode in modes {
            order(&mut control, mode, BASELINE).await;
        }
        let before = settled(&stats).await;
        let bytes = stats.snapshot();
        for mode in modes {
            order(&mut control, mode, 1000).await;
            expect(&stats, before, &format!("1000 {mode} sessions")).await;
            if mode == "complete" {
                // The figures count the bytes of the sessions and of the control
                // connection.
                let now = stats.snapshot();
                let answer = "done\n".len() as u64;
                assert_eq!(now.bytes_sent_total - bytes.bytes_sent_total, 2000 + answer);
                let order = "complete 1000\n".len() as u64;
                let received = now.bytes_received_total - bytes.bytes_received_total;
                assert_eq!(received, 2000 + order);
            }
        }
        drop(control);
    };
    let running = runner.run(&engine, &component);
    let (report, ()) = tokio::join!(running, test);
    let report = report.unwrap();
    assert_eq!(report.exit.code(), 0, "{:?}", report.exit);
    assert_eq!((report.stats.sockets_open, report.stats.sends_open), (0, 0));
}

async fn order<S>(control: &mut BufReader<S>, mode: &str, count: usize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let order = format!("{mode} {count}\n");
    control.write_all(order.as_bytes()).await.unwrap();
    let mut answer = String::new();
    control.read_line(&mut answer).await.unwrap();
    assert_eq!(answer, "done\n", "{mode}");
}

/// Sends a MiB, compares it with the echo, and keeps the connection open.
async fn visit_with_a_mebibyte(address: SocketAddr) -> TcpStream {
    let mut visit = TcpStream::connect(address).await.unwrap();
    let sent: Vec<u8> = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect();
    let mut received = vec![0; sent.len()];
    let (mut from, mut to) = visit.split();
    let (read, written) = tokio::join!(from.read_exact(&mut received), to.write_all(&sent));
    read.unwrap();
    written.unwrap();
    assert!(sent == received, "what came back is not what was sent");
    visit
}

async fn idle_connections_hold_little_of(guest: &str, most: usize) {
    const CONNECTIONS: usize = 2000;
    const AT_ONCE: usize = 8;
    let engine = engine().unwrap();
    let component = load(&engine, guest);
    let (listening, mut addresses) = mpsc::unbounded_channel();
    let mut policy = Policy::new();
    policy.allow_listen("tcp://127.0.0.1:0".parse().unwrap());
    let observer = Listening::new(move |address| listening.send(address).unwrap());
    let ctx = StreamsCtx::builder()
        .policy(policy)
        .observer(observer.ignoring_denials())
        .build();
    let wasi = WasiCtx::builder()
        .args(&[guest, "127.0.0.1", "0"])
        .inherit_stderr()
        .build();
    let runner = Runner::new(ctx, wasi).linger(Duration::ZERO);
    let stats = runner.stats();
    let test = async {
        let address = addresses.recv().await.unwrap();
        let before = stats.sample().await.memory_bytes;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS / AT_ONCE {
            let visits: Vec<_> = (0..AT_ONCE)
                .map(|_| spawn_local(visit_with_a_mebibyte(address)))
                .collect();
            for visit in visits {
                idle.push(visit.await.unwrap());
            }
        }
        let after = stats.sample().await;
        assert_eq!(after.sockets_open, CONNECTIONS + 1);
        let each = (after.memory_peak - before) / CONNECTIONS;
        eprintln!(
            "{guest}: {CONNECTIONS} idle connections after 1 MiB each: memory {} KiB \
             (from {} KiB), {each} bytes each",
            after.memory_peak / 1024,
            before / 1024,
        );
        assert!(each <= most, "{each} bytes each");
    };
    // The server never ends by itself. The test drops it.
    tokio::select! {
        ended = runner.run(&engine, &component) => panic!("the server ended: {ended:?}"),
        () = test => {}
    }
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(test: impl Future<Output = ()>) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_static_guest_leaves_nothing_behind() {
    run(nothing_is_left_behind_by("churn", None));
}

#[test]
fn a_composed_guest_leaves_nothing_behind() {
    run(nothing_is_left_behind_by("churn-wit", None));
}

#[test]
fn three_hundred_handles_are_enough_for_any_number_of_connections_in_sequence() {
    run(nothing_is_left_behind_by("churn", Some(300)));
    run(nothing_is_left_behind_by("churn-wit", Some(300)));
}

#[test]
fn tls_sessions_leave_nothing_behind_however_they_end() {
    run(sessions_leave_nothing_behind());
}

#[test]
fn idle_connections_that_have_moved_a_mebibyte_hold_little_memory() {
    run(idle_connections_hold_little_of("echo-server", 8 * 1024));
    run(idle_connections_hold_little_of(
        "echo-server-wit",
        12 * 1024,
    ));
}

//! Checks that a Python program that runs for long needs no more memory than one that runs
//! for a moment.

use std::path::Path;

use asyncio_streams_host::policy::Policy;
use asyncio_streams_host::{Cache, Runner, Stats, StreamsCtx, compose, engine};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;
use wasmtime_wasi::WasiCtx;

use super::{order, read, run};

/// The actions of the program `python/tests/leaks.py`, with their numbers. Without a way around
/// componentize-py's leak, each of the first eight keeps more than a MiB.
const MODES: [(&str, usize); 9] = [
    ("write_megabytes", 1000),
    ("write_kilobytes", 100_000),
    ("writelines", 10_000),
    ("stdout", 10_000),
    ("send", 10_000),
    ("readuntil", 1_000_000),
    ("separators", 10_000),
    ("connect", 5000),
    ("prints", 10_000),
];

/// The memory that may come and go while a program does the same thing over and over.
const NOISE: usize = 256 * 1024;

/// Throws away what each connection sends.
async fn sink(listener: UnixListener) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        spawn_local(swallow(connection));
    }
}

async fn swallow(mut connection: UnixStream) {
    let mut data = vec![0; 1 << 20];
    while connection.read(&mut data).await.unwrap() > 0 {}
}

async fn memory(stats: &Stats) -> usize {
    stats.sample().await.memory_bytes
}

async fn a_python_program_has_flat_memory() {
    // A long name, because each connect passes it on.
    let folder = tempfile::Builder::new()
        .prefix("a-folder-with-a-name-of-some-length-")
        .tempdir()
        .unwrap();
    let control = UnixListener::bind(folder.path().join("control")).unwrap();
    let sinking = UnixListener::bind(folder.path().join("sink")).unwrap();
    let peer = spawn_local(sink(sinking));
    let mut policy = Policy::new();
    let all = format!("unix://{}/*", folder.path().display());
    policy.allow_connect(all.parse().unwrap());

    let engine = engine().unwrap();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let cache = Cache::open(target.join("cache")).unwrap();
    let component = cache
        .component(&engine, &read("leaks-py"), compose::builtin_streams())
        .unwrap();
    let ctx = StreamsCtx::builder().policy(policy).build();
    let wasi = WasiCtx::builder()
        .args(&["leaks-py", folder.path().to_str().unwrap()])
        .inherit_stderr()
        .build();
    let runner = Runner::new(ctx, wasi);
    let stats = runner.stats();
    let test = async {
        let mut control = BufReader::new(control.accept().await.unwrap().0);
        let mut ready = String::new();
        control.read_line(&mut ready).await.unwrap();
        for (mode, count) in MODES {
            let began = std::time::Instant::now();
            order(&mut control, mode, count / 100).await;
            let before = memory(&stats).await;
            order(&mut control, mode, count).await;
            let after = memory(&stats).await;
            eprintln!(
                "{count} {mode}: {} KiB, then {} KiB; {:?}",
                before / 1024,
                after / 1024,
                began.elapsed()
            );
            assert!(after <= before + NOISE, "{mode} keeps memory");
        }
    };
    let running = runner.run(&engine, &component);
    let (report, ()) = tokio::join!(running, test);
    let report = report.unwrap();
    assert_eq!(report.exit.code(), 0, "{:?}", report.exit);
    peer.abort();
}

#[test]
fn a_python_program_that_writes_a_gigabyte_and_reads_a_million_lines_has_flat_memory() {
    run(a_python_program_has_flat_memory());
}

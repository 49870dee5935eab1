//! Checks that no program outlives its time: hostile programs, and every way that ends
//! them.

use std::path::Path;
use std::time::Duration;

use asyncio_streams_host::compose::builtin_streams;
use asyncio_streams_host::policy::Policy;
use asyncio_streams_host::{
    Cache, Exit, Linger, RunReport, Runner, StopHandle, StreamsCtx, TimeLimit, engine,
};
use tempfile::tempdir;
use tokio::sync::mpsc::unbounded_channel;
use wasmtime::component::Component;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

use super::{connect, exchange, is_reset, run_file};
use crate::support::hostile::{
    AFTER_RETURN, ENDLESS, Hostile, POLLS_AFTER_RETURN, POLLS_AT_START, SPINS, SPINS_AFTER_FAILURE,
    SPINS_AFTER_RETURN, SPINS_AT_START,
};
use crate::support::listening::Listening;
use crate::support::{Ended, cache, component, run};

/// The exit code of a program that is busy after its return.
fn own_code(program: &Hostile) -> i32 {
    i32::from(program.name == SPINS_AFTER_FAILURE.name)
}

/// Runs a program to its end. `during` has it once the program is busy.
fn ends(program: &Hostile, flags: &[&str], signal: Option<&str>) -> Ended {
    let folder = tempdir().unwrap();
    let mut running = run_file(flags, &program.file(&folder), &[]);
    running.wait_for("now");
    if let Some(signal) = signal {
        running.signal(signal);
    }
    running.end()
}

#[test]
fn a_signal_ends_every_program_by_itself() {
    for program in ENDLESS {
        let ended = ends(program, &[], Some("TERM"));
        assert_eq!(ended.code, Some(143), "{}: {ended:?}", program.name);
        // The process does not have to end it.
        assert_eq!(ended.stderr, "now\n", "{}", program.name);
    }
    for program in AFTER_RETURN {
        let ended = ends(program, &["--linger", "1000m"], Some("INT"));
        let code = own_code(program);
        assert_eq!(ended.code, Some(code), "{}: {ended:?}", program.name);
        assert_eq!(ended.stderr, "now\n", "{}", program.name);
    }
}

#[test]
fn the_linger_time_ends_a_program_that_is_busy_after_its_return() {
    for program in AFTER_RETURN {
        let ended = ends(program, &["--linger", "100ms"], None);
        let code = own_code(program);
        assert_eq!(ended.code, Some(code), "{}: {ended:?}", program.name);
        assert!(ended.stderr.contains("--linger"), "{ended:?}");
    }
}

#[test]
fn the_timeout_ends_every_program() {
    for program in ENDLESS.iter().chain(&AFTER_RETURN) {
        let ended = ends(program, &["--timeout", "500ms", "--linger", "1000m"], None);
        assert_eq!(ended.code, Some(124), "{}: {ended:?}", program.name);
        let line = "did not end within 500ms; (allow more time with --timeout)";
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
}

#[test]
fn the_limit_of_processor_time_ends_every_program_that_computes() {
    for program in [&SPINS, &SPINS_AT_START, &SPINS_AFTER_RETURN] {
        let ended = ends(program, &["--max-cpu", "200ms", "--linger", "1000m"], None);
        assert_eq!(ended.code, Some(152), "{}: {ended:?}", program.name);
        let line = "used 200ms of processor time; (allow more time with --max-cpu)";
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
}

#[test]
fn waiting_takes_no_processor_time() {
    let flags = ["--max-cpu", "1000m", "--timeout", "500ms"];
    let ended = ends(&POLLS_AT_START, &flags, None);
    assert_eq!(ended.code, Some(124), "{ended:?}");
}

#[test]
fn the_time_to_start_ends_a_program_that_does_not_start() {
    for program in [&SPINS_AT_START, &POLLS_AT_START] {
        let ended = ends(program, &["--startup-timeout", "3s"], None);
        assert_eq!(ended.code, Some(125), "{}: {ended:?}", program.name);
        let line = "did not start within 3s; (allow more time with --startup-timeout)";
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
    // It has started.
    let flags = ["--startup-timeout", "3s", "--timeout", "4s"];
    assert_eq!(ends(&SPINS, &flags, None).code, Some(124));
}

#[test]
fn the_time_to_start_includes_compiling() {
    let folder = tempdir().unwrap();
    let program = SPINS.file(&folder);
    let flags = ["--startup-timeout", "0s", "--no-cache"];
    let ended = run_file(&flags, &program, &[]).end();
    assert_eq!(ended.code, Some(125), "{ended:?}");
    assert!(ended.stderr.contains("still being compiled"), "{ended:?}");
}

#[test]
fn a_program_that_ends_in_time_keeps_its_exit_code() {
    let limits = ["--max-cpu", "1000m", "--timeout", "1000m"];
    let ended = run(&limits, "exits", &["7"]).end();
    assert_eq!(ended.code, Some(7), "{ended:?}");
}

#[test]
fn a_server_that_computes_has_its_grace_and_no_more() {
    for form in ["", "-wit"] {
        let flags = ["--allow-listen", "tcp://127.0.0.1:0", "--grace", "300ms"];
        let name = format!("commanded-server{form}");
        let mut server = run(&flags, &name, &["127.0.0.1", "0"]);
        let mut client = connect(server.listening());
        std::io::Write::write_all(&mut client, b"compute\n").unwrap();
        until_it_computes(server.id());
        server.signal("TERM");
        assert!(is_reset(&mut client));
        let ended = server.end();
        assert_eq!(ended.code, Some(143), "{ended:?}");
        let line = "did not end within 300ms of SIGTERM; connections not finished: 1";
        assert!(ended.stderr.contains(line), "{ended:?}");
    }
}

/// Waits until a process has used a second of processor time.
fn until_it_computes(process: u32) {
    let stat = Path::new("/proc").join(process.to_string()).join("stat");
    loop {
        let stat = std::fs::read_to_string(&stat).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: u64 = fields.split_whitespace().nth(11).unwrap().parse().unwrap();
        if ticks >= 100 {
            return;
        }
        std::thread::yield_now();
    }
}

/// Runs a program in this process. `meanwhile` runs on the same thread once the program is
/// busy.
fn embedded(
    program: &Hostile,
    limit: impl FnOnce(Runner) -> Runner,
    meanwhile: impl AsyncFnOnce(),
) -> RunReport {
    let engine = engine().unwrap();
    let component = Component::from_binary(&engine, &program.component()).unwrap();
    let stderr = MemoryOutputPipe::new(100);
    let wasi = WasiCtx::builder().stderr(stderr.clone()).build();
    let runner = limit(Runner::new(StreamsCtx::builder().build(), wasi));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let busy = async {
            while stderr.contents().is_empty() {
                tokio::task::yield_now().await;
            }
            meanwhile().await;
        };
        let (report, ()) = tokio::join!(runner.run(&engine, &component), busy);
        report.unwrap()
    })
}

#[test]
fn an_embedder_stops_every_program_from_the_same_thread() {
    for program in ENDLESS.iter().chain(&AFTER_RETURN) {
        let stop = std::cell::OnceCell::new();
        let limit = |runner: Runner| {
            drop(stop.set(runner.stop_handle()));
            runner.linger(Duration::MAX)
        };
        let report = embedded(program, limit, async || stop.get().unwrap().stop());
        let name = program.name;
        match AFTER_RETURN.iter().any(|other| other.name == name) {
            false => assert!(matches!(report.exit, Exit::Stopped), "{name}: {report:?}"),
            true => {
                assert_eq!(i32::from(report.exit.code()), own_code(program), "{name}");
                assert_eq!(report.linger, Linger::Stopped, "{name}");
            }
        }
    }
}

#[test]
fn an_embedder_limits_the_time_of_every_program() {
    let time = Duration::from_millis(200);
    type Limit = fn(Runner, Duration) -> Runner;
    let cases: [(&[&Hostile], Limit, TimeLimit); 3] = [
        (&ENDLESS, Runner::timeout, TimeLimit::Total(time)),
        (
            &[&SPINS, &SPINS_AT_START, &SPINS_AFTER_RETURN],
            Runner::max_cpu,
            TimeLimit::Cpu(time),
        ),
        (
            &[&SPINS_AT_START, &POLLS_AT_START],
            Runner::startup_timeout,
            TimeLimit::Startup(time),
        ),
    ];
    for (programs, limit, expected) in cases {
        for program in programs {
            let limit = |runner: Runner| limit(runner.linger(Duration::MAX), time);
            let report = embedded(program, limit, async || {});
            let Exit::TimeLimit(reached) = report.exit else {
                panic!("{}: {report:?}", program.name);
            };
            assert_eq!(reached, expected, "{}", program.name);
        }
    }
}

#[test]
fn an_embedders_linger_time_ends_a_program_that_is_busy_after_its_return() {
    let time = Duration::from_millis(100);
    for program in [&SPINS_AFTER_FAILURE, &POLLS_AFTER_RETURN] {
        let report = embedded(program, |runner| runner.linger(time), async || {});
        assert_eq!(i32::from(report.exit.code()), own_code(program));
        assert_eq!(report.linger, Linger::TimedOut, "{}", program.name);
    }
}

#[test]
fn a_program_that_computes_holds_up_no_other_of_its_thread() {
    let engine = engine().unwrap();
    let spins = Component::from_binary(&engine, &SPINS.component()).unwrap();
    let program = std::fs::read(component("echo-server")).unwrap();
    let serves = Cache::open(cache()).unwrap();
    let serves = serves
        .component(&engine, &program, builtin_streams())
        .unwrap();
    let stderr = MemoryOutputPipe::new(100);
    let wasi = WasiCtx::builder().stderr(stderr.clone()).build();
    let spinner = Runner::new(StreamsCtx::builder().build(), wasi);

    let mut policy = Policy::new();
    policy.allow_listen("tcp://127.0.0.1:0".parse().unwrap());
    let (listening, mut addresses) = unbounded_channel();
    let told = Listening::new(move |address| listening.send(address).unwrap());
    let ctx = StreamsCtx::builder().policy(policy).observer(told).build();
    let wasi = WasiCtx::builder()
        .args(&["echo-server", "127.0.0.1", "0"])
        .build();
    let server = Runner::new(ctx, wasi);

    let stops = [spinner.stop_handle(), server.stop_handle()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async {
            while stderr.contents().is_empty() {
                tokio::task::yield_now().await;
            }
            let address = addresses.recv().await.unwrap();
            let client = tokio::task::spawn_blocking(move || {
                let mut client = connect(address);
                for _ in 0..20 {
                    exchange(&mut client, "line\n");
                }
            });
            client.await.unwrap();
            stops.iter().for_each(StopHandle::stop);
        };
        let (spun, served, ()) = tokio::join!(
            spinner.run(&engine, &spins),
            server.run(&engine, &serves),
            client
        );
        assert!(matches!(spun.unwrap().exit, Exit::Stopped));
        assert!(matches!(served.unwrap().exit, Exit::Success));
    });
}

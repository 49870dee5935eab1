//! What the command does with a program: its streams, its end, its limits.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Ended, PATIENCE, Process, component, run, workspace};

/// How long the command lets a program that computes go on after one signal.
const GRACE: Duration = Duration::from_secs(2);

/// A peer of the tests' own.
struct Peer {
    listener: TcpListener,
    address: SocketAddr,
}

impl Peer {
    fn new() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Peer { listener, address }
    }

    /// The rule that allows connecting to it.
    fn rule(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// A program that is given this peer's address and port, then more.
    fn visited_by(&self, name: &str, flags: &[&str], args: &[&str]) -> Process {
        let (rule, port) = (self.rule(), self.address.port().to_string());
        let flags = [&["--allow-connect", &rule], flags].concat();
        let args = [&["127.0.0.1", &port], args].concat();
        run(&flags, name, &args)
    }

    fn accept(&self) -> TcpStream {
        let listener = self.listener.try_clone().unwrap();
        let (accepted, connection) = channel();
        thread::spawn(move || accepted.send(listener.accept()));
        let (connection, _) = connection
            .recv_timeout(PATIENCE)
            .expect("nobody connects")
            .unwrap();
        patient(connection)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

fn patient(connection: TcpStream) -> TcpStream {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Reads exactly this.
fn expect(connection: &mut TcpStream, expected: &str) {
    let mut received = vec![0; expected.len()];
    connection.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), expected);
}

/// Whether the connection is over: by its end or by a reset, not by patience.
fn is_over(connection: &mut TcpStream) -> bool {
    match connection.read(&mut [0]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// The command itself.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(args);
    command
}

fn run_file(flags: &[&str], path: &Path, args: &[&str]) -> Process {
    let mut command = command(&["run"]);
    command.args(flags).arg(path).args(args);
    Process::start(command)
}

/// A core module as cargo makes it.
fn core_module(name: &str) -> PathBuf {
    let path = workspace()
        .join("target/guests/wasm32-unknown-unknown/guest")
        .join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The number of the line of a guest's source that holds this.
fn line_of(guest: &str, code: &str) -> usize {
    let path = workspace().join(format!("tests/guests/src/bin/{guest}.rs"));
    let source = fs::read_to_string(path).unwrap();
    let line = source.lines().position(|line| line.contains(code));
    line.expect("the source says so") + 1
}

/// The line that says where the program trapped.
fn trap(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(134), "{ended:?}");
    let mut lines = ended.stderr.lines();
    let trap = lines.find_map(|line| line.strip_prefix("asyncio-streams: trap in "));
    trap.unwrap_or_else(|| panic!("no trap: {ended:?}"))
}

// Arguments and standard streams

#[test]
fn the_programs_name_and_everything_after_it_reach_the_program() {
    let args = [
        "one",
        "--help",
        "-v",
        "--",
        "--allow-connect",
        "x=y",
        "",
        "ü 🦀",
    ];
    let printed = run(&[], "probe", &args).success();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "probe.wasm");
    assert_eq!(lines[1..], args);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;

    let mut command = command(&["run"]);
    let argument = std::ffi::OsStr::from_bytes(b"\xff");
    command.arg(component("probe")).arg(argument);
    let ended = Process::start(command).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is not UTF-8"), "{ended:?}");
}

#[test]
fn standard_output_and_error_are_kept_apart_and_in_order() {
    let ended = run(&[], "prints", &[]).end();
    let lines = |name: &str| -> String { (0..1000).map(|n| format!("{name} {n}\n")).collect() };
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, lines("out"));
    assert_eq!(ended.stderr, lines("err"));
}

#[test]
fn a_mebibyte_printed_at_once_arrives_whole_at_a_slow_reader() {
    let mut child = command(&["run"])
        .arg(component("prints-much"))
        .arg("65536")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut received: Vec<u8> = Vec::new();
    let mut piece = [0; 4096];
    loop {
        // So that the pipe is full most of the time.
        thread::sleep(Duration::from_millis(1));
        match stdout.read(&mut piece).unwrap() {
            0 => break,
            n => received.extend_from_slice(&piece[..n]),
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let expected: String = (0..65536).map(|line| format!("{line:015}\n")).collect();
    assert_eq!(received.len(), expected.len());
    assert!(received == expected.as_bytes());
}

#[test]
fn a_program_whose_output_nobody_reads_ends() {
    let mut child = command(&["run"])
        .arg(component("prints-much"))
        .arg("65536")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(stderr.starts_with("printing\n"), "{stderr}");
}

// How a program ends

#[test]
fn the_programs_own_exit_code_is_the_commands() {
    for code in [0, 1, 7, 134, 255] {
        let ended = run(&[], "exits", &[&code.to_string()]).end();
        assert_eq!(ended.code, Some(code));
        assert_eq!(ended.stderr, "", "{code}");
    }
}

#[test]
fn an_error_is_printed_and_the_exit_code_is_1() {
    let ended = run(&[], "fails", &[]).end();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "before\n");
    assert_eq!(ended.stderr, "error: the cellar is flooded\n");
}

#[test]
fn a_panic_says_what_and_where_after_what_was_printed() {
    let ended = run(&[], "panics", &[]).end();
    let trap = trap(&ended);
    assert!(trap.starts_with("panics"), "{trap}");
    assert_eq!(ended.stdout, "before\n");
    let line = line_of("panics", "panic!(");
    let place = format!("panicked at tests/guests/src/bin/panics.rs:{line}:5:\n");
    let message = format!("{place}the cellar is flooded\n");
    assert!(ended.stderr.starts_with(&message), "{ended:?}");
    assert!(ended.stderr.contains("panics::fall_over"), "{ended:?}");
}

#[test]
fn what_was_printed_before_a_panic_arrives_however_much_it_is() {
    let ended = run(&[], "panics", &["300000"]).end();
    trap(&ended);
    assert_eq!(ended.stdout, format!("{}before\n", ".".repeat(300_000)));
}

#[test]
fn a_panic_in_a_callback_ends_the_program_and_its_connections() {
    let flags = ["--allow-listen", "tcp://127.0.0.1:0"];
    let mut server = run(&flags, "panics-in-a-callback", &["127.0.0.1"]);
    let address = server.listening();
    let (mut silent, mut fatal) = (connect(address), connect(address));
    fatal.write_all(b"water\n").unwrap();
    assert!(is_over(&mut fatal) && is_over(&mut silent));
    let ended = server.end();
    trap(&ended);
    let line = line_of("panics-in-a-callback", "panic!(");
    let place = format!("panicked at tests/guests/src/bin/panics-in-a-callback.rs:{line}:5:\n");
    let message = format!("{place}flooded by Ok(b\"water\\n\")\n");
    assert!(ended.stderr.contains(&message), "{ended:?}");
}

#[test]
fn a_trap_of_a_composed_application_names_the_application() {
    let peer = Peer::new();
    let program = peer.visited_by("unreachable-wit", &[], &[]);
    let mut connection = peer.accept();
    expect(&mut connection, "hello\n");
    connection.write_all(b"hello\n").unwrap();
    let ended = program.end();
    let trap = trap(&ended);
    assert!(trap.starts_with("unreachable_wit"), "{trap}");
    assert!(trap.contains("unreachable"), "{trap}");
    let function = "unreachable_wit::give_up";
    assert!(ended.stderr.contains(function), "{ended:?}");
    assert!(is_over(&mut connection));
}

// Signals

/// A client that waits for an answer is stopped.
fn stopped(name: &str, signal: &str) -> Option<i32> {
    let peer = Peer::new();
    let client = peer.visited_by(name, &[], &["hello"]);
    let mut connection = peer.accept();
    expect(&mut connection, "hello");
    client.signal(signal);
    assert!(is_over(&mut connection));
    client.end().code
}

#[test]
fn an_interrupt_ends_the_connections_and_exits_with_130() {
    assert_eq!(stopped("tcp-echo-client", "INT"), Some(130));
    assert_eq!(stopped("tcp-echo-client-wit", "INT"), Some(130));
}

#[test]
fn a_termination_ends_the_connections_and_exits_with_143() {
    assert_eq!(stopped("tcp-echo-client", "TERM"), Some(143));
    assert_eq!(stopped("tcp-echo-client-wit", "TERM"), Some(143));
}

#[test]
fn an_interrupted_server_ends_its_connections() {
    for name in ["tcp-echo-server", "tcp-echo-server-wit"] {
        let flags = ["--allow-listen", "tcp://127.0.0.1:0"];
        let mut server = run(&flags, name, &["127.0.0.1", "0"]);
        let address = server.listening();
        let mut clients: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
        server.signal("INT");
        assert!(clients.iter_mut().all(is_over));
        assert_eq!(server.end().code, Some(130));
        assert!(TcpStream::connect(address).is_err());
    }
}

fn spinning() -> Process {
    let peer = Peer::new();
    let program = peer.visited_by("spins", &[], &[]);
    let mut connection = peer.accept();
    expect(&mut connection, "spinning\n");
    assert!(is_over(&mut connection));
    program
}

#[test]
fn a_program_that_computes_ends_soon_after_a_signal() {
    let program = spinning();
    program.signal("INT");
    assert_eq!(program.end().code, Some(130));
}

#[test]
fn a_second_signal_ends_a_program_that_computes_at_once() {
    let program = spinning();
    let start = Instant::now();
    program.signal("INT");
    program.signal("TERM");
    let code = program.end().code;
    // It is the second one's, unless both were seen at the same time.
    let at_once = start.elapsed() < GRACE;
    assert!(
        code == Some(143) || (code == Some(130) && at_once),
        "{code:?}"
    );
}

// Listeners

/// The addresses that the command reports, and those that the program prints.
fn listeners(rules: &[&str], hosts: &[&str]) -> (Vec<String>, Vec<String>) {
    let flags: Vec<&str> = rules
        .iter()
        .flat_map(|rule| ["--allow-listen", rule])
        .collect();
    let ended = run(&flags, "listens", hosts).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reported = ended.stderr.lines().map(|line| {
        let address = line.strip_prefix("listening on ");
        address.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
    });
    (
        reported.collect(),
        ended.stdout.lines().map(str::to_owned).collect(),
    )
}

#[test]
fn each_listener_is_reported_with_its_real_port() {
    let (reported, printed) = listeners(&["tcp://127.0.0.1:0"], &["127.0.0.1"]);
    assert_eq!(reported, printed);
    let address: SocketAddr = reported[0].parse().unwrap();
    assert_ne!(address.port(), 0);

    let rules = ["tcp://127.0.0.0/8:*", "tcp://[::1]:*"];
    let hosts = ["127.0.0.1", "127.0.0.2", "::1"];
    let (reported, printed) = listeners(&rules, &hosts);
    assert_eq!(reported, printed);
    let addresses: Vec<SocketAddr> = reported.iter().map(|text| text.parse().unwrap()).collect();
    let ips: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    assert_eq!(ips, hosts);
    assert!(
        addresses
            .iter()
            .all(|address| address.port() == addresses[0].port())
    );
}

#[test]
fn a_rule_for_any_free_port_covers_every_host_of_a_server() {
    let rules = ["tcp://127.0.0.1:0", "tcp://127.0.0.2:0"];
    let (reported, _) = listeners(&rules, &["127.0.0.1", "127.0.0.2"]);
    assert_eq!(reported.len(), 2);
}

#[test]
fn a_rule_for_any_free_port_covers_a_server_on_all_interfaces() {
    let (reported, _) = listeners(&["tcp://*:0"], &[]);
    assert!(!reported.is_empty());
}

// After the program has returned

fn cut_after_its_linger(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = "not finished 100ms after the program returned, and are cut (--linger)";
    assert!(ended.stderr.contains(line), "{ended:?}");
}

#[test]
fn an_idle_connection_left_open_keeps_the_command_no_longer_than_its_linger() {
    for name in ["forgets", "forgets-wit", "leaves-a-task"] {
        let peer = Peer::new();
        let program = peer.visited_by(name, &["--linger", "100ms"], &[]);
        let mut connection = peer.accept();
        expect(&mut connection, "hello\n");
        let ended = program.end();
        assert!(is_over(&mut connection));
        cut_after_its_linger(&ended);
    }
}

#[test]
fn a_connection_that_is_cut_is_counted_as_one() {
    let peer = Peer::new();
    let program = peer.visited_by("forgets", &["--linger", "100ms"], &[]);
    let _connection = peer.accept();
    let ended = program.end();
    assert!(ended.stderr.contains(": 1 connection"), "{ended:?}");
}

fn left_unsent(name: &str) {
    let peer = Peer::new();
    let args = ["32000000", "1", "close"];
    let program = peer.visited_by(name, &["--linger", "100ms"], &args);
    let connection = peer.accept();
    let ended = program.end();
    drop(connection);
    assert_eq!(ended.stdout, "leaving\n");
    cut_after_its_linger(&ended);
}

#[test]
fn a_peer_that_does_not_read_keeps_a_static_program_no_longer_than_its_linger() {
    left_unsent("leave");
}

#[test]
fn a_peer_that_does_not_read_keeps_a_composed_program_no_longer_than_its_linger() {
    left_unsent("leave-wit");
}

// Time and tasks

#[test]
fn sleep_and_timeout_follow_the_clock() {
    assert_eq!(
        run(&[], "times", &[]).success(),
        "both sleep\n\
         after the short sleep\n\
         after the long sleep\n\
         after no sleep\n\
         Ok(\"in time\")\n\
         Ok(())\n\
         the endless one is dropped\n\
         Err(TimedOut)\n\
         Err(TimedOut)\n\
         Ok(\"at once\")\n\
         Ok(\"unlimited\")\n"
    );
}

#[test]
fn tasks_run_beside_their_spawner_and_are_cancelled() {
    assert_eq!(
        run(&[], "tasks", &[]).success(),
        "the task is spawned\n\
         the task runs\n\
         its result is 42\n\
         endless: Err(Cancelled)\n\
         a task without a handle runs\n\
         told\n\
         cancelled too late: Ok(\"finished\")\n\
         a task's own task: Ok(\"inner\")\n\
         end\n"
    );
}

// Limits

#[test]
fn one_socket_too_many_is_an_error_of_the_program() {
    for name in ["connects", "connects-wit"] {
        let peer = Peer::new();
        let ended = peer.visited_by(name, &["--max-sockets", "3"], &[]).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines: Vec<&str> = ended.stdout.lines().collect();
        let reason = "limit of sockets reached";
        let error = format!("3 open, then: connect to {}: {reason}", peer.address);
        assert_eq!(lines, [error.as_str(), "3 open again"]);
        assert!(ended.stderr.contains("--max-sockets 6"), "{ended:?}");
    }
}

#[test]
fn a_server_without_a_socket_for_a_client_goes_on_with_others() {
    for name in ["tcp-echo-server", "tcp-echo-server-wit"] {
        // The listener, and one connection.
        let flags = ["--allow-listen", "tcp://127.0.0.1:0", "--max-sockets", "2"];
        let mut server = run(&flags, name, &["127.0.0.1", "0"]);
        let address = server.listening();
        let mut first = connect(address);
        assert!(is_over(&mut connect(address)));
        first.write_all(b"first").unwrap();
        expect(&mut first, "first");
        assert!(is_over(&mut first));

        let deadline = Instant::now() + PATIENCE;
        let served = |mut client: TcpStream| {
            let written = client.write_all(b"next");
            let mut received = [0; 4];
            written
                .and_then(|()| client.read_exact(&mut received))
                .is_ok()
        };
        while !served(connect(address)) {
            assert!(Instant::now() < deadline, "{server:?}");
        }
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(143), "{ended:?}");
        assert!(ended.stderr.contains("--max-sockets 4"), "{ended:?}");
    }
}

#[test]
fn a_program_that_takes_too_much_memory_ends_with_a_clear_message() {
    let ended = run(&["--max-memory", "16MiB"], "allocates", &[]).end();
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(ended.stderr.contains("--max-memory"), "{ended:?}");
}

#[test]
fn a_program_that_needs_more_memory_than_it_may_have_does_not_start() {
    let ended = run(&["--max-memory", "64KiB"], "probe", &[]).end();
    assert_ne!(ended.code, Some(0));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("memory"), "{ended:?}");
}

// What runs

/// A client that a peer answers.
fn answered(start: impl FnOnce(&Peer) -> Process) {
    let peer = Peer::new();
    let client = start(&peer);
    let mut connection = peer.accept();
    expect(&mut connection, "hello");
    connection.write_all(b"goodbye").unwrap();
    assert_eq!(
        client.success(),
        "Send: 'hello'\nReceived: 'goodbye'\nClose the connection\n"
    );
    assert!(is_over(&mut connection));
}

fn client_at(path: &Path, flags: &[&str]) {
    answered(|peer| {
        let (rule, port) = (peer.rule(), peer.address.port().to_string());
        let flags = [&["--allow-connect", &rule], flags].concat();
        run_file(&flags, path, &["127.0.0.1", &port, "hello"])
    });
}

#[test]
fn a_core_module_straight_from_cargo_runs() {
    let printed = run_file(&[], &core_module("probe"), &["one"]).success();
    assert_eq!(printed, "probe.wasm\none\n");
    client_at(&core_module("examples/tcp-echo-client"), &[]);
    client_at(&core_module("examples/tcp-echo-client-wit"), &[]);
}

#[test]
fn what_compose_writes_runs_without_a_streams_component() {
    let folder = tempfile::tempdir().unwrap();
    for application in [
        component("tcp-echo-client-wit"),
        core_module("examples/tcp-echo-client-wit"),
    ] {
        let alone = run_file(&["--streams-component", "none"], &application, &[]).end();
        assert_eq!(alone.code, Some(2), "{alone:?}");

        let path = folder.path().join("composed.wasm");
        let mut compose = command(&["compose", "-o"]);
        compose.arg(&path).arg(application);
        assert_eq!(Process::start(compose).success(), "");
        client_at(&path, &["--streams-component", "none"]);
    }
}

#[test]
fn compose_writes_to_standard_output() {
    let mut compose = command(&["compose", "-o", "-"]);
    let output = compose
        .arg(component("tcp-echo-client-wit"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("composed.wasm");
    fs::write(&path, output.stdout).unwrap();
    client_at(&path, &["--streams-component", "none"]);
}

#[test]
fn another_streams_component_is_used_when_it_is_named() {
    let streams = component("streams-tcp");
    let flags = ["--streams-component", streams.to_str().unwrap()];
    client_at(&component("tcp-echo-client-wit"), &flags);
}

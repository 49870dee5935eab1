//! Runs Python programs as components: the module in python/, its examples against each
//! other, Rust's and CPython, and its README.

mod folder;
mod identities;
mod stdio;
mod tls;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use self::folder::Folder;
use self::identities::Identities;
use crate::support::{Ended, Process, component, python, run, workspace};

const SERVER: &str = "tcp-echo-server-py";
const CLIENT: &str = "tcp-echo-client-py";

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap()
}

/// Runs the example with CPython's own asyncio.
pub(crate) fn cpython(name: &str, args: &[&str]) -> Process {
    let source = read(&format!("examples/python/{name}.py"));
    let ours = "import asyncio_streams as asyncio";
    assert!(source.contains(ours));
    let theirs = source
        .replace(ours, "import asyncio")
        .replace("from asyncio_streams import socket", "import socket");
    python(&theirs, args)
}

fn connect(name: &str, port: &str, message: &str) -> Process {
    let allow = format!("tcp://127.0.0.1:{port}");
    run(
        &["--allow-connect", &allow],
        name,
        &["127.0.0.1", port, message],
    )
}

fn sent_and_received(message: &str) -> String {
    format!("Send: '{message}'\nReceived: '{message}'\nClose the connection\n")
}

fn served(server: &mut Process, message: &str) {
    server.wait_for(&format!("Received '{message}' from ('127.0.0.1', "));
    server.wait_for(&format!("Send: '{message}'"));
    server.wait_for("Close the connection");
}

#[test]
fn the_echo_server_serves_clients_in_python_in_rust_and_of_cpython() {
    let mut server = run(
        &["--allow-listen", "tcp://127.0.0.1:0"],
        SERVER,
        &["127.0.0.1", "0"],
    );
    let port = server.listening().port().to_string();
    server.wait_for(&format!("Serving on ('127.0.0.1', {port})"));
    let clients = [
        (connect(CLIENT, &port, "Grüße"), "Grüße"),
        (connect("tcp-echo-client", &port, "static"), "static"),
        (
            connect("tcp-echo-client-wit", &port, "composed"),
            "composed",
        ),
        (
            cpython("tcp_echo_client", &["127.0.0.1", &port, "CPython"]),
            "CPython",
        ),
    ];
    let mut messages = BTreeSet::new();
    for (client, message) in clients {
        assert_eq!(client.success(), sent_and_received(message));
        messages.insert(message);
    }
    // The clients come in any order.
    while !messages.is_empty() {
        let line = server.wait_for("Received '");
        let message = line.split('\'').next().unwrap();
        assert!(messages.remove(message), "{line}");
    }
    server.signal("INT");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_echo_client_talks_to_rusts_server() {
    let mut server = run(
        &["--allow-listen", "tcp://127.0.0.1:0"],
        "tcp-echo-server-wit",
        &["127.0.0.1", "0"],
    );
    let port = server.listening().port().to_string();
    let client = connect(CLIENT, &port, "to Rust");
    assert_eq!(client.success(), sent_and_received("to Rust"));
    served(&mut server, "to Rust");
}

#[test]
fn the_echo_client_talks_to_cpythons_server_as_cpythons_does() {
    let mut server = cpython("tcp_echo_server", &["127.0.0.1", "0"]);
    let port = server.wait_for("Serving on ('127.0.0.1', ");
    let port = port.trim_end_matches(')');
    let ours = connect(CLIENT, port, "one of two").success();
    served(&mut server, "one of two");
    let theirs = cpython("tcp_echo_client", &["127.0.0.1", port, "one of two"]);
    assert_eq!(ours, theirs.success());
}

#[test]
fn the_echo_client_that_does_not_wait_for_the_close_has_sent_everything() {
    let mut server = cpython("tcp_echo_server", &["127.0.0.1", "0"]);
    let port = server.wait_for("Serving on ('127.0.0.1', ");
    let port = port.trim_end_matches(')');
    let args = ["127.0.0.1", port, "and gone", "--no-wait"];
    let allow = format!("tcp://127.0.0.1:{port}");
    let ours = run(&["--allow-connect", &allow], CLIENT, &args).success();
    served(&mut server, "and gone");
    assert_eq!(ours, cpython("tcp_echo_client", &args).success());
}

#[test]
fn http_headers_prints_what_cpythons_does() {
    let server = "import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response_only(200)
        self.send_header('X-Path', self.path)
        self.send_header('X-Host', self.headers['Host'])
        self.end_headers()
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
print('port', server.server_port)
server.serve_forever()";
    let mut server = python(server, &[]);
    let port = server.wait_for("port ");
    let url = format!("http://127.0.0.1:{port}/path/page.html");
    let allow = format!("tcp://127.0.0.1:{port}");
    let ours = run(&["--allow-connect", &allow], "http-headers-py", &[&url]).success();
    assert_eq!(ours, cpython("http_headers", &[&url]).success());
    assert_eq!(
        ours,
        "HTTP header> HTTP/1.0 200 OK\n\
         HTTP header> X-Path: /path/page.html\n\
         HTTP header> X-Host: 127.0.0.1\n"
    );
}

#[test]
fn wait_for_data_prints_what_cpythons_does_and_needs_no_rule() {
    let ours = run(&[], "wait-for-data-py", &[]).success();
    assert_eq!(ours, cpython("wait_for_data", &[]).success());
    assert_eq!(ours, "Received: abc\n");
}

#[test]
fn an_exception_is_a_traceback_and_exit_code_1() {
    let ended = run(&[], CLIENT, &["127.0.0.1", "9", "denied"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Traceback"), "{ended:?}");
    assert!(ended.stderr.contains("PermissionError: "), "{ended:?}");
    assert!(ended.stderr.contains("tcp_echo_client.py"), "{ended:?}");
}

/// The output of python/tests/behaviours: one run for all its checks.
static BEHAVIOURS: LazyLock<Ended> = LazyLock::new(|| behaviours("3", &UNCHECKED, &[]));

/// The permissions that some of the checks of TLS need.
const UNCHECKED: [&str; 2] = ["--allow-tls-unverified", "--allow-tls-guest-roots"];

/// Starts the command as a service manager would, with listeners.
const STARTER: &str = "import os, socket, sys
folder, *command = sys.argv[1:]
unix = socket.socket(socket.AF_UNIX)
unix.bind(f'{folder}/local')
unix.listen()
tcp = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
handed = [os.dup(listener.fileno()) for listener in (tcp[0], unix, tcp[1])]
for number, listener in enumerate(handed, 3):
    os.dup2(listener, number)
os.closerange(3 + len(handed), 100)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(handed)), LISTEN_FDNAMES='web:local:spare'
)
os.execv(command[0], command)";

fn behaviours(code: &str, flags: &[&str], checks: &[&str]) -> Ended {
    let (identities, folder) = (Identities::new(), Folder::new());
    let mut command = Command::new("python3");
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(["-c", STARTER, folder.path()])
        .args([env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .arg("--listen-fds")
        .args(["--allow-listen", "tcp://127.0.0.0/8:*"])
        .args(["--allow-listen", "tcp://0.0.0.0:*"])
        .args(["--allow-listen", "tcp://[::]:*"])
        .args(["--allow-connect", "tcp://127.0.0.0/8:*"])
        .args(["--allow-resolve", "name.invalid"])
        .args(identities.flags())
        .args(folder.flags())
        .args(flags)
        .arg(component("behaviours-py"))
        .args(folder.arguments())
        .arg(code)
        .args(checks);
    let mut process = Process::start(command);
    process.wait_for("listening on ");
    // So few that a check can use them up.
    process.limit_descriptors(256);
    let ended = process.end();
    folder.check();
    ended
}

/// Lists the checks in behaviours/, in order: the name, and whether CPython's own asyncio
/// has to pass it as well.
fn checks() -> Vec<(String, bool)> {
    let folder = std::fs::read_dir(workspace().join("python/tests/behaviours")).unwrap();
    let paths: BTreeSet<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let files = paths.iter().filter(|path| path.is_file());
    let source: String = files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let parts: Vec<&str> = source.split("@check\nasync def ").collect();
    let checks = parts.iter().zip(parts.iter().skip(1));
    checks
        .map(|(before, check)| {
            let decorator = before.lines().last().unwrap();
            let name = check.split('(').next().unwrap();
            (name.to_owned(), !decorator.starts_with("@departs("))
        })
        .collect()
}

/// Returns the lines that say how checks ended.
fn results(ended: &Ended) -> Vec<&str> {
    let lines = ended.stdout.lines();
    lines
        .filter(|line| line.starts_with("ok ") || line.starts_with("failed "))
        .collect()
}

#[test]
fn the_module_behaves_as_asyncio_does() {
    let ended = &*BEHAVIOURS;
    let expected: Vec<String> = checks()
        .iter()
        .map(|(name, _)| format!("ok {name}"))
        .collect();
    assert_eq!(results(ended), expected, "{ended:?}");
    assert!(expected.len() > 100, "{expected:?}");
}

/// Checks that the behaviours marked as the same are the same.
#[test]
fn cpythons_asyncio_passes_the_checks_that_do_not_depart() {
    let (identities, folder) = (Identities::new(), Folder::new());
    let program = format!(
        "import asyncio, socket, ssl, sys
asyncio.socket, asyncio.ssl = socket, ssl
sys.modules['asyncio_streams'] = asyncio
sys.dont_write_bytecode = True
sys.path.insert(0, {:?})
import behaviours",
        workspace().join("python/tests")
    );
    let mut command = Command::new("python3");
    command
        .args(["-u", "-c", &program])
        .args(folder.arguments())
        .arg("3")
        .env("SSL_CERT_FILE", identities.roots())
        .env("IDENTITIES", identities.folder());
    let ended = Process::start(command).end();
    folder.check();
    let expected: Vec<String> = checks()
        .iter()
        .filter(|(_, same)| *same)
        .map(|(name, _)| format!("ok {name}"))
        .collect();
    assert_eq!(results(&ended), expected, "{ended:?}");
    assert!(expected.len() > 60, "{expected:?}");
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

#[test]
fn unseen_failures_are_reported_and_do_not_end_the_program() {
    let ended = &*BEHAVIOURS;
    for error in ["plain callback", "coroutine callback", "never retrieved"] {
        let line = format!("ValueError: {error}\n");
        assert_eq!(ended.stderr.matches(&line).count(), 1, "{ended:?}");
    }
    // Nothing else is reported. The command reports a denied request, not the program.
    let tracebacks = ended.stderr.matches("Traceback").count();
    assert_eq!(tracebacks, 3, "{ended:?}");
    assert!(!ended.stderr.contains("gnored"), "{ended:?}");
}

/// The name of a check that reads.
const FIRST: &str = "rd1_a_negative_read_returns_all_to_the_end_whatever_the_limit";

#[test]
fn sys_exit_ends_the_program_with_its_code_and_cancels_its_tasks() {
    for (code, ended) in [(3, &*BEHAVIOURS), (0, &behaviours("0", &[], &[FIRST]))] {
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let last = ended.stdout.lines().last();
        assert_eq!(last, Some("background task cancelled"), "{ended:?}");
    }
}

/// Returns the README's block with this info string.
fn block(readme: &str, info: &str) -> String {
    let start = format!("```{info}\n");
    let (_, rest) = readme.split_once(&start).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// Builds and runs the README's program with the README's commands. Only the environment
/// is the one that `cargo xtask test` has made.
#[test]
fn the_readme_does_what_it_says() {
    let readme = read("python/README.md");
    let folder = std::env::temp_dir().join(format!("python-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.py"), block(&readme, "python app.py")).unwrap();
    let venv = workspace().join("target/python/venv");
    for (link, to) in [("asyncio-streams", workspace()), ("venv", venv)] {
        std::os::unix::fs::symlink(to, folder.join(link)).unwrap();
    }
    let command = PathBuf::from(env!("CARGO_BIN_EXE_asyncio-streams"));
    let path = [
        command.parent().unwrap().as_os_str(),
        "/usr/bin".as_ref(),
        "/bin".as_ref(),
    ]
    .join(":".as_ref());
    let script: Vec<String> = readme
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert_eq!(script.len(), 2, "{script:?}");
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", &script.concat()])
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("VIRTUAL_ENV")
        .env("PATH", path)
        .current_dir(&folder);
    let printed = Process::start(shell).success();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(
        printed.ends_with(&block(&readme, "text app.py")),
        "{printed}"
    );
}

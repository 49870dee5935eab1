use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use crate::support::{PATIENCE, Process, component};

/// A service manager's socket.
struct Manager {
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Manager {
    /// Makes one, and a command that is told of it.
    fn new() -> (Manager, Command) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
        command.env("NOTIFY_SOCKET", &path).arg("run");
        let manager = Manager {
            socket,
            _folder: folder,
        };
        (manager, command)
    }

    /// Returns the lines of the next note.
    fn note(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_service_manager_is_told_of_readiness_reloads_and_the_stop() {
    let (manager, mut command) = Manager::new();
    let folder = tempfile::tempdir().unwrap();
    command
        .args(["--allow-listen", "tcp://127.0.0.1:0", "--log-file"])
        .arg(folder.path().join("log"))
        .arg(component("echo-server"))
        .args(["127.0.0.1", "0"]);
    let mut server = Process::start(command);
    let address = server.listening();
    let status = format!("STATUS=listening on {address}");
    assert_eq!(manager.note(), ["READY=1".to_owned(), status]);

    server.signal("HUP");
    let reloading = manager.note();
    assert_eq!(reloading[0], "RELOADING=1");
    let since = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    since.parse::<u64>().unwrap();
    assert_eq!(manager.note(), ["READY=1"]);

    server.signal("TERM");
    assert_eq!(manager.note(), ["STOPPING=1"]);
    assert_eq!(server.end().code, Some(0));
}

/// Starts a server with a listener as descriptor 3, and LISTEN_FDS without LISTEN_PID.
fn without_pid(flags: &[&str]) -> (Process, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = Command::new("bash");
    command
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "web")
        .env_remove("LISTEN_PID")
        .args(["-c", "exec 3<&0 </dev/null; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_asyncio-streams"))
        .arg("run")
        .args(flags)
        .arg(component("inherited"))
        .arg("web");
    let stdin = Stdio::from(OwnedFd::from(listener));
    let process = Process::start_with(command, stdin, Stdio::piped());
    (process, address)
}

#[test]
fn sockets_without_a_process_id_are_taken_only_if_the_operator_says_so() {
    let (refused, _) = without_pid(&["--listen-fds"]);
    let ended = refused.end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let hint = "add --listen-fds-any-process";
    assert!(ended.stderr.contains(hint), "{ended:?}");

    let flags = ["--listen-fds", "--listen-fds-any-process"];
    let (mut server, address) = without_pid(&flags);
    assert_eq!(server.listening(), address);
}

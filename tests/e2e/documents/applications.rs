//! Writes programs as a reader of the guides does: two crates in a new folder, with
//! the files, the commands and the output that the pages show.
//!
//! Only the ports differ, and the folders of the clone and of cargo's results.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::host;
use super::page::Page;
use crate::support::{Process, python, workspace};

/// Sends back the bytes it receives, on this port.
const ECHO_SERVER: &str = "import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('ready')
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data)
connection.close()";

/// Sends lines to this port, all at once, and prints the answer.
const CLIENT: &str = "import socket, sys
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
connection.sendall(b'one\\ntwo\\nthree')
connection.shutdown(socket.SHUT_WR)
print('got', connection.makefile('rb').read())";

#[test]
fn both_forms_are_written_built_and_run_as_shown() {
    let guides = Page::guides();
    let reader = Reader::new(&guides);

    reader.create("echo-server", "0");
    let server = reader.build_static("echo-server");
    let mut server = reader.run(&server, "0");
    let listening = server.listening();
    let port = listening.port().to_string();
    for line in guides.block("text", "echo-server").lines() {
        if line != "listening on 127.0.0.1:8888" {
            server.wait_for(line);
        }
    }
    let mut client = python(CLIENT, &[&port]);
    assert_eq!(client.wait_for("got "), r"b'one\ntwo\nthree'");

    reader.create("echo-client", &port);
    let client = reader.build("echo-client");
    let shown = guides.block("text", "echo-client");
    assert_eq!(reader.run(&client, &port).success(), shown);

    server.signal("INT");
    assert_eq!(server.end().code, Some(0));
    let mut server = python(ECHO_SERVER, &[&port]);
    server.wait_for("ready");
    let composed = reader.compose(&client);
    let rule = format!("tcp://127.0.0.1:{port}");
    let mut command = host();
    command.args(["run", "--streams-component", "none"]);
    command.args(["--allow-connect", &rule]).arg(composed);
    assert_eq!(Process::start(command).success(), shown);
}

/// Connects to localhost at this port, trusting this certificate alone, and prints the
/// answer.
const TLS_CLIENT: &str = "import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
connection = context.wrap_socket(plain, server_hostname='localhost')
connection.sendall(b'one\\n')
print('got', connection.recv(4))";

#[test]
fn the_server_with_tls_is_written_built_and_run_as_shown() {
    let guides = Page::guides();
    let reader = Reader::new(&guides);

    reader.create("echo-server", "0");
    let imports = "use asyncio_streams::{ServerOptions, SslContext};";
    reader.change("echo-server with TLS", imports, "8888", "0");
    let server = reader.build_static("echo-server");
    reader.make_certificate();
    let mut server = reader.run_with(&server, "--tls-identity", ("8888", "0"));
    let port = server.listening().port().to_string();
    let certificate = reader.folder.path().join("cert.pem");
    let certificate = certificate.to_str().unwrap();
    let mut client = python(TLS_CLIENT, &[&port, certificate]);
    assert_eq!(client.wait_for("got "), r"b'one\n'");
}

/// Connects to this path and prints the answer.
const UNIX_CLIENT: &str = "import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b'one\\n')
print('got', connection.recv(4))";

#[test]
fn the_server_on_a_unix_socket_is_written_built_and_run_as_shown() {
    let guides = Page::guides();
    let reader = Reader::new(&guides);
    let path = reader.folder.path().join("echo.sock");
    let path = path.to_str().unwrap();

    reader.create("echo-server", "0");
    let import = "use asyncio_streams::start_unix_server;";
    reader.change(
        "echo-server on a Unix socket",
        import,
        "/tmp/echo.sock",
        path,
    );
    let server = reader.build_static("echo-server");
    let place = ("/tmp/echo.sock", path);
    let mut server = reader.run_with(&server, "--allow-listen=unix", place);
    server.wait_for(&format!("listening on unix:{path}"));
    let mut client = python(UNIX_CLIENT, &[path]);
    assert_eq!(client.wait_for("got "), r"b'one\n'");
}

/// Held while a test builds: crates of the same name share one place in the results.
static ALONE: Mutex<()> = Mutex::new(());

/// A reader, who has a clone and a folder beside it.
struct Reader<'a> {
    pages: &'a Page,
    folder: TempDir,
    /// Cargo's results. They are kept, so that cargo builds only the crates themselves anew.
    target: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Reader<'_> {
    fn new(pages: &Page) -> Reader<'_> {
        Reader {
            pages,
            folder: tempfile::tempdir().unwrap(),
            target: workspace().join("target/readme"),
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Runs `cargo new`, and writes the files of the guides with this port.
    fn create(&self, name: &str, port: &str) {
        let new = self.pages.command(&["cargo", "new"], name);
        done(
            Command::new("cargo")
                .args(&new[1..])
                .current_dir(&self.folder),
        );
        let path = |file: &str| self.folder.path().join(name).join(file);
        let clone = workspace();
        for (kind, file) in [("toml", "Cargo.toml"), ("rust", "src/main.rs")] {
            let text = self.pages.block(kind, &format!("{name}/{file}"));
            let text = text
                .replace("../asyncio-streams", clone.to_str().unwrap())
                .replace("8888", port);
            fs::write(path(file), text).unwrap();
        }
        // Cargo then uses the tested versions, and does not look for others.
        fs::copy(clone.join("Cargo.lock"), path("Cargo.lock")).unwrap();
    }

    /// Replaces the echo server's program by this block, with `place` instead of `shown`.
    fn change(&self, block: &str, imports: &str, shown: &str, place: &str) {
        let path = self.folder.path().join("echo-server/src/main.rs");
        let plain = fs::read_to_string(&path).unwrap();
        let (before, rest) = plain.split_once("async fn program()").unwrap();
        let (_, after) = rest.split_once("asyncio_streams::run!").unwrap();
        let program = self.pages.block("rust", block);
        let program = program.replace(shown, place);
        let before = before.replace(", start_server}", "}");
        let text = format!("{imports}\n{before}{program}\nasyncio_streams::run!{after}");
        fs::write(path, text).unwrap();
    }

    /// Runs the `openssl req` of the guides.
    fn make_certificate(&self) {
        let line = self.pages.command(&["openssl", "req"], "cert.pem");
        done(
            Command::new(&line[0])
                .args(&line[1..])
                .current_dir(&self.folder),
        );
    }

    /// Runs `cargo build` where the target is installed, and else [`build`](Self::build).
    fn build_static(&self, name: &str) -> PathBuf {
        let module = self
            .target
            .join("wasm32-unknown-unknown/release")
            .join(format!("{name}.wasm"));
        if !has_target() {
            self.build(name);
            return self.keep(&module);
        }
        let build = self.pages.command(&["cargo", "build"], "--release");
        done(
            Command::new("cargo")
                .args(&build[1..])
                .arg("--target-dir")
                .arg(&self.target)
                .current_dir(self.folder.path().join(name)),
        );
        self.keep(&module)
    }

    /// Runs `cargo xtask build ../NAME` in the clone.
    fn build(&self, name: &str) -> PathBuf {
        let build = self.pages.command(&["cargo", "xtask", "build"], name);
        assert_eq!(build[3], format!("../{name}"));
        let printed = done(
            Command::new("cargo")
                .args(&build[1..3])
                .arg(self.folder.path().join(name))
                .args(["--", "--target-dir"])
                .arg(&self.target)
                .current_dir(workspace()),
        );
        let component = self.target.join("components").join(format!("{name}.wasm"));
        assert_eq!(Path::new(printed.trim()), component);
        self.keep(&component)
    }

    /// Copies the result: another test may build the same crate with another port.
    fn keep(&self, wasm: &Path) -> PathBuf {
        let kept = self.folder.path().join(wasm.file_name().unwrap());
        fs::copy(wasm, &kept).unwrap();
        kept
    }

    /// Starts this program with the `asyncio-streams run` of the guides, on this port.
    fn run(&self, wasm: &Path, port: &str) -> Process {
        self.run_with(wasm, "--allow", ("8888", port))
    }

    /// Starts it with the command line whose options begin so, and `ours` for `shown`.
    fn run_with(&self, wasm: &Path, option: &str, (shown, ours): (&str, &str)) -> Process {
        let name = wasm.file_name().and_then(OsStr::to_str).unwrap();
        let place = format!("/{name}");
        let mut lines = self.pages.commands().into_iter().filter(|line| {
            line[0] == "asyncio-streams" && line.iter().any(|word| word.ends_with(&place))
        });
        let line = lines.find(|line| line[2].starts_with(option)).unwrap();
        let mut command = host();
        command.current_dir(&self.folder);
        for word in &line[1..] {
            if word.ends_with(name) {
                command.arg(wasm);
            } else {
                command.arg(word.replace(shown, ours));
            }
        }
        Process::start(command)
    }

    /// Runs the `asyncio-streams compose` of the guides.
    fn compose(&self, wasm: &Path) -> PathBuf {
        let line = self.pages.command(&["asyncio-streams", "compose"], ".wasm");
        let [_, compose, streams, tcp, component, o, output] = &line[..] else {
            panic!("{line:?}");
        };
        assert!(component.ends_with(wasm.file_name().and_then(OsStr::to_str).unwrap()));
        let output = self.folder.path().join(output);
        let args = [compose, streams, tcp, o];
        done(host().args(args).arg(&output).arg(wasm));
        output
    }
}

impl Drop for Reader<'_> {
    /// Removes cargo's results for this folder: its name is new in each run, so that
    /// cargo would never find them again.
    fn drop(&mut self) {
        let release = self.target.join("wasm32-unknown-unknown/release");
        for folder in ["deps", ".fingerprint"] {
            for entry in fs::read_dir(release.join(folder))
                .into_iter()
                .flatten()
                .flatten()
            {
                let name = entry.file_name().to_string_lossy().replace('_', "-");
                if name.starts_with("echo-server-") || name.starts_with("echo-client-") {
                    let path = entry.path();
                    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
                }
            }
        }
    }
}

/// Returns true where plain `cargo build --target wasm32-unknown-unknown` works.
fn has_target() -> bool {
    let sysroot = done(Command::new("rustc").args(["--print", "sysroot"]));
    Path::new(sysroot.trim())
        .join("lib/rustlib/wasm32-unknown-unknown/lib")
        .is_dir()
}

/// Runs a command, which has to succeed, and returns its standard output.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

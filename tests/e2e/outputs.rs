//! Checks what programs print more than the reader of their output takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::support::{CACHE, PATIENCE, cache, component};

const RUST: [&str; 2] = ["outputs", "outputs-wit"];
const PYTHON: &str = "outputs-py";

const LISTEN: [&str; 2] = ["--allow-listen", "tcp://127.0.0.1:0"];

fn command(flags: &[&str], name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .env(CACHE, cache())
        .arg("run")
        .args(flags)
        .arg(component(name))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(flags: &[&str], name: &str, args: &[&str]) -> Child {
    command(flags, name, args).spawn().unwrap()
}

fn rest(mut reader: impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// A server whose output is not read.
struct Unread {
    child: Child,
    address: SocketAddr,
    _stdout: ChildStdout,
    stderr: BufReader<std::process::ChildStderr>,
}

fn serve(flags: &[&str], name: &str, args: &[&str]) -> Unread {
    let flags = [&LISTEN[..], flags].concat();
    let mut child = start(&flags, name, &[args, &["127.0.0.1", "0"]].concat());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "{name} ended");
        if let Some(address) = line.strip_prefix("listening on ") {
            break address.trim_end().parse().unwrap();
        }
    };
    Unread {
        _stdout: child.stdout.take().unwrap(),
        child,
        address,
        stderr,
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn ask(client: &mut TcpStream) {
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

fn end_by_term(child: &mut Child) -> Option<i32> {
    let term = Command::new("kill").arg(child.id().to_string()).status();
    assert!(term.unwrap().success());
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), None, "it handles the signal");
    ended.code()
}

/// 3 MiB are more than a pipe and the host's buffer take.
#[test]
fn a_server_whose_output_is_not_read_serves_on_and_ends_by_sigterm() {
    for name in RUST {
        for (stream, workers) in [("stdout", "1"), ("stdout", "2"), ("stderr", "1")] {
            let flags = ["--workers", workers, "--grace", "3s"];
            let mut server = serve(&flags, name, &["serve", stream]);
            let mut clients = [connect(server.address), connect(server.address)];
            for _ in 0..1536 {
                clients.iter_mut().for_each(ask);
            }
            drop(clients);
            let began = Instant::now();
            let code = end_by_term(&mut server.child);
            assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
            assert!(matches!(code, Some(0 | 143)), "{name} {stream}: {code:?}");
        }
    }
}

#[test]
fn only_the_task_that_drains_waits_for_the_reader_of_the_output() {
    for name in RUST {
        let mut server = serve(&["--grace", "2s"], name, &["drains"]);
        let mut client = connect(server.address);
        for _ in 0..1000 {
            ask(&mut client);
        }
        drop(client);
        end_by_term(&mut server.child);
        let said = rest(server.stderr);
        assert!(
            said.contains("bytes of the program's output were not written"),
            "{said}"
        );
    }
}

/// `wc -c`.
#[test]
fn a_program_that_prints_more_than_its_buffer_without_awaiting_loses_nothing() {
    const LINES: usize = 3_000_000;
    for (name, lines) in [
        (RUST[0], LINES),
        (RUST[1], LINES / 10),
        (PYTHON, LINES / 10),
    ] {
        let mut child = start(&[], name, &["count", &lines.to_string()]);
        let mut stdout = child.stdout.take().unwrap();
        let mut buffer = vec![0; 1 << 16];
        let mut count = 0;
        loop {
            match stdout.read(&mut buffer).unwrap() {
                0 => break,
                read => count += read,
            }
        }
        assert_eq!(count, lines * 31, "{name}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

/// `head -1`.
#[test]
fn a_program_that_prints_for_ever_ends_when_its_reader_is_gone() {
    for (name, code) in [(RUST[0], 141), (RUST[1], 141), (PYTHON, 1)] {
        let mut child = start(&[], name, &["forever"]);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "a line of a program that has no end\n");
        drop(stdout);
        let stderr = rest(child.stderr.take().unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}: {stderr}");
        match name == PYTHON {
            true => assert!(stderr.contains("BrokenPipeError"), "{stderr}"),
            false => assert_eq!(stderr, ""),
        }
    }
}

/// The program waits in `print!`, and the signal ends it.
#[test]
fn a_program_that_prints_for_ever_to_a_reader_that_takes_nothing_is_ended() {
    for name in [RUST[0], RUST[1], PYTHON] {
        let mut child = start(&["--grace", "1s"], name, &["forever"]);
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0]).unwrap();
        let began = Instant::now();
        let code = end_by_term(&mut child);
        // In Python, the `print` that waits raises when the host no longer waits.
        let expected = [Some(143), Some(if name == PYTHON { 1 } else { 143 })];
        let stderr = rest(child.stderr.take().unwrap());
        assert!(expected.contains(&code), "{name}: {code:?} {stderr}");
        assert!(
            began.elapsed().as_secs() < 4,
            "{name}: {:?}",
            began.elapsed()
        );
    }
}

/// 80 MB: more than the 64 MiB that `print!` keeps.
#[test]
fn a_program_that_prints_too_much_for_its_reader_is_told() {
    let mut child = start(&[], RUST[0], &["count", "2600000"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("the reader has taken nothing for 5 s") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    // The process waits for the reader of what it has not written.
    let mut stdout = child.stdout.take().unwrap();
    let discard = thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    said += &rest(stderr);
    assert_eq!(child.wait().unwrap().code(), Some(134), "{said}");
    discard.join().unwrap().unwrap();
}

#[test]
fn a_print_in_python_fails_when_the_reader_takes_nothing_and_the_server_serves_on() {
    let mut server = serve(&["--grace", "3s"], PYTHON, &["serve"]);
    let mut client = BufReader::new(connect(server.address));
    let mut failed = 0;
    for _ in 0..1300 {
        client.get_mut().write_all(b"x").unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        if byte != *b"x" {
            let mut name = String::new();
            client.read_line(&mut name).unwrap();
            assert_eq!(format!("{}{name}", byte[0] as char), "OSError\n");
            failed += 1;
        }
    }
    assert!(failed > 0);
    drop(client);
    let began = Instant::now();
    end_by_term(&mut server.child);
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
}

#[test]
fn an_output_that_cannot_be_written_is_reported() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = command(&[], RUST[0], &["count", "1"]);
    let ended = command.stdout(full.unwrap()).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

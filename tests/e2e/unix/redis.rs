//! Runs the example client of Redis, with a real server and with one that sends invalid
//! replies.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

use super::{Folder, client, connecting};
use crate::support::{CACHE, Ended, Process, cache, component};

const FORMS: [&str; 2] = ["redis-client", "redis-client-wit"];

/// The forms, with the one in Python, whose errors are tracebacks.
const PROGRAMS: [&str; 3] = ["redis-client", "redis-client-wit", "redis-client-py"];

/// A server on a Unix socket, without a port.
struct Redis {
    folder: Folder,
    path: String,
    process: Process,
}

impl Redis {
    fn start() -> Redis {
        let folder = Folder::new();
        let path = folder.at("redis.sock");
        let mut command = Command::new("redis-server");
        command
            .args(["--port", "0", "--unixsocket", &path, "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(folder.0.path());
        let mut process = Process::start(command);
        process.wait_for_part("ready to accept connections");
        Redis {
            folder,
            path,
            process,
        }
    }

    fn client(&self, form: &str, args: &[&str], input: &[u8]) -> Ended {
        redis_client(&self.path, form, args, input)
    }

    /// Returns what the client prints. It has to succeed.
    fn prints(&self, form: &str, args: &[&str]) -> String {
        let ended = self.client(form, args, b"");
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{ended:?}"
        );
        ended.stdout
    }
}

/// Runs the client with this standard input. `PATH` among the arguments stands for the
/// server's path.
fn redis_client(path: &str, form: &str, args: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_asyncio-streams"))
        .env(CACHE, cache())
        .args(["run", &connecting(path)])
        .arg(component(form))
        .args(
            args.iter()
                .map(|&arg| if arg == "PATH" { path } else { arg }),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = thread::spawn(move || {
        // The client may end without reading all of it.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn replies_of_every_kind_are_printed_as_redis_cli_does() {
    let redis = Redis::start();
    for form in PROGRAMS {
        for args in [
            &["PING"][..],
            &["SET", "key", "a value with spaces"],
            &["GET", "key"],
            &["GET", "nothing"],
            &["INCR", form],
            &["DEL", "list"],
            &["RPUSH", "list", "1", "two", ""],
            &["LRANGE", "list", "0", "-1"],
            &["LRANGE", "nothing", "0", "-1"],
            &["EVAL", "return {1, {2, {'three', {}}, 'x'}, false}", "0"],
            &["COMMAND", "INFO", "get", "nothing"],
        ] {
            let ours = redis.prints(form, &[&["PATH"], args].concat());
            if args[0] == "INCR" {
                assert_eq!(ours, "1\n");
                continue;
            }
            let mut command = Command::new("redis-cli");
            command.args(["-s", &redis.path, "--raw"]).args(args);
            let theirs = Process::start(command);
            match args[0] {
                // Our client has run this command already.
                "DEL" | "RPUSH" => drop(theirs),
                _ => assert_eq!(ours, theirs.success(), "{args:?}"),
            }
        }
    }
}

#[test]
fn values_of_several_megabytes_come_back_as_they_went() {
    let redis = Redis::start();
    let value: String = (0..1_000_000).map(|n| format!("{n:07}\r\n")).collect();
    for form in PROGRAMS {
        let set = redis.client(form, &["-x", "PATH", "SET", "large"], value.as_bytes());
        assert_eq!(
            (set.code, set.stdout.as_str()),
            (Some(0), "OK\n"),
            "{}",
            set.stderr
        );
        assert_eq!(
            redis.prints(form, &["PATH", "STRLEN", "large"]),
            "9000000\n"
        );
        let got = redis.prints(form, &["PATH", "GET", "large"]);
        assert!(got == format!("{value}\n"), "{} bytes", got.len());
    }
}

#[test]
fn commands_are_sent_without_waiting_for_the_replies_before() {
    const COUNT: usize = 20_000;
    let redis = Redis::start();
    for form in PROGRAMS {
        let mut input = "DEL counter\n\n".to_owned();
        input.extend((0..COUNT).map(|_| "  INCR\tcounter \n"));
        input += "GET counter";
        redis.prints(form, &["PATH", "DEL", "counter"]);
        let ended = redis.client(form, &["PATH"], input.as_bytes());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let mut expected = "0\n".to_owned();
        expected.extend((1..=COUNT).map(|n| format!("{n}\n")));
        expected += &format!("{COUNT}\n");
        assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    }
}

#[test]
fn an_error_reply_is_printed_and_the_exit_code_is_1() {
    let redis = Redis::start();
    for form in PROGRAMS {
        let ended = redis.client(form, &["PATH", "NOSUCH", "thing"], b"");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.starts_with("ERR unknown command"), "{ended:?}");
        let refused = "error: commands that the server refused: 1\n";
        assert_eq!(ended.stderr, refused);
        let ended = redis.client(form, &["PATH"], b"PING\nNOSUCH\nPING\n");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), refused));
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!([lines[0], lines[2]], ["PONG", "PONG"]);
    }
}

#[test]
fn a_server_that_goes_away_is_an_error() {
    for form in FORMS {
        let redis = Redis::start();
        // The server is killed while the client waits for an answer.
        let waiting = {
            let path = redis.path.clone();
            let form = form.to_owned();
            thread::spawn(move || redis_client(&path, &form, &["PATH", "BLPOP", "none", "0"], b""))
        };
        let mut control = client(&redis.path);
        while !blocks_a_client(&mut control) {
            thread::yield_now();
        }
        redis.process.signal("KILL");
        let ended = waiting.join().unwrap();
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(1), ""),
            "{ended:?}"
        );
        assert!(ended.stderr.starts_with("error: "), "{ended:?}");
        let gone = redis.client(form, &["PATH", "PING"], b"");
        // The bindings print an error of the package in parts.
        let words = ["connection refused", "ConnectionRefused"];
        assert!(words.iter().any(|it| gone.stderr.contains(it)), "{gone:?}");
        assert!(redis.folder.path("redis.sock").exists());
    }
}

fn blocks_a_client(control: &mut (impl Read + Write)) -> bool {
    control
        .write_all(b"*2\r\n$4\r\nINFO\r\n$7\r\nclients\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    // The reply is a length, then so many bytes and the end of the line.
    while !answer.ends_with(b"\r\n") {
        control.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let length = String::from_utf8(answer).unwrap();
    let length: usize = length.trim_start_matches('$').trim().parse().unwrap();
    let mut info = vec![0; length + 2];
    control.read_exact(&mut info).unwrap();
    String::from_utf8(info)
        .unwrap()
        .contains("blocked_clients:1")
}

/// Starts a server that answers each command with this reply, and ends the connection.
fn answering(reply: Vec<u8>) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.at("redis.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut piece = [0; 64];
            let count = connection.read(&mut piece).unwrap();
            assert!(piece[..count].starts_with(b"*1\r\n$4\r\nPING\r\n"));
            // The client may give up before it has received all of it.
            drop(connection.write_all(&reply));
        }
    });
    (folder, path)
}

#[test]
fn an_invalid_reply_is_an_error_that_says_what_is_wrong() {
    let nested = "*1\r\n".repeat(33);
    let long = format!("+{}\r\n", "x".repeat(100_000));
    for (reply, problem) in [
        ("?what\r\n", "malformed: a value of an unknown type"),
        ("\r\n", "malformed: an empty line"),
        (":12x\r\n", "malformed: an invalid number"),
        (":99999999999999999999\r\n", "malformed: an invalid number"),
        ("$-2\r\n", "malformed: an invalid length"),
        ("*-2\r\n", "malformed: an invalid length"),
        ("$3\r\nabcde", "malformed: no \\r\\n at its end"),
        ("$536870913\r\n", "malformed: a string of more than 512 MiB"),
        (&nested, "malformed: more than 32 arrays in each other"),
        (
            "*2\r\n:1\r\n",
            "0 bytes read on a total of undefined expected bytes",
        ),
        (
            "$100\r\nabc",
            "3 bytes read on a total of 102 expected bytes",
        ),
        (
            "*4000000000\r\n",
            "0 bytes read on a total of undefined expected bytes",
        ),
        (&long, "limit"),
    ] {
        let (_folder, path) = answering(reply.as_bytes().to_vec());
        for form in FORMS {
            let ended = redis_client(&path, form, &["PATH", "PING"], b"");
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (Some(1), ""),
                "{reply:.40}"
            );
            assert!(ended.stderr.starts_with("error: "), "{ended:?}");
            let said = ended.stderr.contains(problem) || is_composed(form, reply, &ended);
            assert!(said, "{reply:.40}: {ended:?}");
        }
    }
}

/// Returns whether this is the composed form, whose bindings print an error of the
/// package in parts.
fn is_composed(form: &str, reply: &str, ended: &Ended) -> bool {
    let parts = match reply {
        _ if reply.len() > 1000 => "LimitOverrun",
        _ => "Incomplete",
    };
    form.ends_with("-wit") && ended.stderr.contains(parts)
}

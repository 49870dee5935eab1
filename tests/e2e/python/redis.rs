//! The client of Redis: that of Python beside that of Rust.

use std::process::Command;

use crate::support::{Ended, Process, component, python};

/// Prints each command that it gets, and answers it from a table.
const SERVER: &str = "import socket, sys, threading
REPLIES = {
    b'PING': b'+PONG\\r\\n',
    b'ECHO': None,
    b'DBSIZE': b':42\\r\\n',
    b'GET': b'$-1\\r\\n',
    b'KEYS': b'*0\\r\\n',
    b'EXEC': b'*4\\r\\n$3\\r\\na\\r\\n\\r\\n:-1\\r\\n*2\\r\\n+x\\r\\n+y\\r\\n*-1\\r\\n',
    b'BAD': b'-ERR unknown command\\r\\n',
}
def serve(connection):
    received = connection.makefile('rb')
    while head := received.readline():
        lengths = (int(received.readline()[1:]) for _ in range(int(head[1:])))
        words = [received.read(length + 2)[:-2] for length in lengths]
        print(words, flush=True)
        echo = b'$%d\\r\\n%b\\r\\n' % (len(words[-1]), words[-1])
        connection.sendall(REPLIES[words[0]] or echo)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print('listening')
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()";

/// The client with these arguments, whose standard input the shell makes.
fn client(name: &str, input: &str, path: &str, args: &[&str]) -> Ended {
    let script = format!("{input} | \"$@\"");
    let mut command = Command::new("sh");
    command
        .env_remove("ASYNCIO_STREAMS_COMPONENT")
        .env_remove("ASYNCIO_STREAMS_LOG")
        .args(["-c", &script, "sh"])
        .args([env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .arg(format!("--allow-connect=unix://{path}"))
        .arg(component(name))
        .args(args);
    Process::start(command).end()
}

#[test]
fn the_redis_client_asks_and_prints_as_rusts_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.sock");
    let path = path.to_str().unwrap();
    let mut server = python(SERVER, &[path]);
    server.wait_for("listening");
    let lines = "printf 'PING\\nECHO Gr\\303\\274\\303\\237e\\n\\n BAD  x \\nEXEC\\n'";
    // Input, arguments, what is printed, the exit code, and how many commands it sends.
    let cases: [(&str, &[&str], &str, i32, usize); 7] = [
        ("true", &[path, "PING"], "PONG\n", 0, 1),
        ("true", &[path, "DBSIZE"], "42\n", 0, 1),
        ("true", &[path, "GET", "key"], "\n", 0, 1),
        ("true", &[path, "KEYS", "*"], "\n", 0, 1),
        ("true", &[path, "BAD"], "ERR unknown command\n", 1, 1),
        ("printf 'a\\r\\nb'", &["-x", path, "ECHO"], "a\r\nb\n", 0, 1),
        (
            lines,
            &[path],
            "PONG\nGrüße\nERR unknown command\na\r\n\n-1\nx\ny\n\n",
            1,
            4,
        ),
    ];
    for (input, args, printed, code, commands) in cases {
        let mut asked = Vec::new();
        for name in ["redis-client-py", "redis-client"] {
            let ended = client(name, input, path, args);
            assert_eq!(ended.stdout, printed, "{name}: {ended:?}");
            assert_eq!(ended.code, Some(code), "{name}: {ended:?}");
            let words: Vec<String> = (0..commands).map(|_| server.wait_for("[")).collect();
            asked.push(words);
        }
        assert_eq!(asked[0], asked[1]);
    }
}

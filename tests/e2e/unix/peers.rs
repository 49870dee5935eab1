//! Checks peers written by others: socat, and CPython's asyncio.

use std::process::Command;

use super::{FORMS, Folder, connecting, serving};
use crate::support::{Process, python, run};

const ECHO_CLIENTS: &str = "import asyncio, random, sys
path, count, size, seed = sys.argv[1], *map(int, sys.argv[2:])
async def exchange(index):
    data = random.Random(seed + index).getrandbits(8 * size).to_bytes(size, 'little')
    reader, writer = await asyncio.open_unix_connection(path)
    async def send():
        for start in range(0, size, 65536):
            writer.write(data[start:start + 65536])
            await writer.drain()
        writer.write_eof()
    sending = asyncio.ensure_future(send())
    assert await reader.read() == data
    await sending
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.gather(*(exchange(index) for index in range(count)))
    print('all done')
asyncio.run(main())";

const ECHO_SERVER: &str = "import asyncio, sys
async def echo(reader, writer):
    while True:
        data = await reader.read(65536)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_unix_server(echo, sys.argv[1], backlog=10)
    print('serving')
    await server.serve_forever()
asyncio.run(main())";

const ANSWER_SERVER: &str = "import asyncio, sys
async def answer(reader, writer):
    question = await reader.read()
    writer.write(b'answer to ' + question)
    writer.write_eof()
    assert await reader.read() == b''
    writer.close()
async def main():
    server = await asyncio.start_unix_server(answer, sys.argv[1])
    print('serving')
    await server.serve_forever()
asyncio.run(main())";

const COUNT: &str = "50";
const BYTES: &str = "1000000";
const SEED: &str = "11";

fn socat(args: &[&str]) -> Command {
    let mut command = Command::new("socat");
    command.args(args);
    command
}

#[test]
fn cpythons_clients_get_their_echo_from_our_server() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let server = serving(form, &path, &[]);
        let printed = python(ECHO_CLIENTS, &[&path, COUNT, BYTES, SEED]).success();
        assert_eq!(printed, "all done\n");
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.stderr, format!("listening on unix:{path}\n"));
    }
}

/// More clients at once than may wait for CPython to accept them.
#[test]
fn our_clients_get_their_echo_from_cpythons_server() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let mut server = python(ECHO_SERVER, &[&path]);
    server.wait_for("serving");
    for form in FORMS {
        let args = ["clients", &path, COUNT, BYTES, SEED];
        let printed = run(&[&connecting(&path)], form, &args).success();
        assert_eq!(printed, "all done\n");
    }
}

#[test]
fn our_clients_get_their_echo_from_our_server() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for (served, form) in [("unix", "unix-wit"), ("unix-wit", "unix")] {
        let server = serving(served, &path, &[]);
        let args = ["clients", &path, COUNT, BYTES, SEED];
        let printed = run(&[&connecting(&path)], form, &args).success();
        assert_eq!(printed, "all done\n");
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn a_client_ends_its_side_and_then_reads_cpythons_answer() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let mut server = python(ANSWER_SERVER, &[&path]);
    server.wait_for("serving");
    for form in FORMS {
        let grant = connecting(&path);
        let answer = run(&[&grant], form, &["ask", &path, "why?"]).success();
        assert_eq!(answer, "answer to why?\n");
    }
}

#[test]
fn socat_ends_its_side_and_then_reads_our_answer() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let mut server = run(&[&super::listening(&path)], form, &["answer", &path]);
        server.wait_for("listening on unix:");
        // Without `-t 60`, socat gives up half a second after its own end.
        let script = format!("printf 'why not?' | socat -t 60 - UNIX-CONNECT:{path}");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]);
        assert_eq!(Process::start(shell).success(), "answer to why not?");
    }
}

#[test]
fn our_client_gets_an_answer_from_what_socat_runs() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let listen = format!("UNIX-LISTEN:{path}");
        // sort prints nothing before the end of its input.
        let mut socat = Process::start(socat(&["-d", "-d", "-t", "60", &listen, "EXEC:sort"]));
        socat.wait_for_part("listening on");
        let grant = connecting(&path);
        let answer = run(&[&grant], form, &["ask", &path, "b\na\n"]).success();
        assert_eq!(answer, "a\nb\n\n");
        socat.success();
    }
}

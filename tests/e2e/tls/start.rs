//! Checks TLS that starts on an open connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::wire::Wire;
use super::{FORMS, client, lines, peer, server};
use crate::support::authority::Authority;
use crate::support::python;

/// Serves one session after another: answers STARTTLS, then sends lines back.
const SERVER: &str = "import socket, ssl, sys
certificate, key, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = exactly
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1])
while True:
    plain, _ = listener.accept()
    plain.sendall(b'220 hello\\n')
    asked = b''
    while not asked.endswith(b'\\n'):
        asked += plain.recv(1)
    print('asked', asked)
    plain.sendall(b'220 go on\\n')
    session = context.wrap_socket(plain, server_side=True)
    print('session', session.version())
    for line in session.makefile('rb'):
        session.sendall(line)
    print('rest', session.unwrap().recv(1))
";

/// A client that sends its hello in one segment with the bytes before it, and later data
/// in the same way. Arguments: port, authority, version.
const PIPELINING: &str = "import socket, ssl, sys
port, authority, version = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = exactly
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
session = context.wrap_bio(incoming, outgoing, server_hostname='localhost')
plain = socket.create_connection(('127.0.0.1', int(port)))
def until_done(step):
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            if data := outgoing.read():
                plain.sendall(data)
            incoming.write(plain.recv(65536))
try:
    session.do_handshake()
except ssl.SSLWantReadError:
    pass
plain.sendall(b'STARTTLS\\n' + outgoing.read())
answer = b''
while not answer.endswith(b'\\n'):
    answer += plain.recv(1)
print('answer', answer)
until_done(session.do_handshake)
# The end of the handshake and the first words, at once.
session.write(b'abc\\n')
session.write(b'def\\n')
plain.sendall(outgoing.read())
print('line', until_done(lambda: session.read(4)), until_done(lambda: session.read(4)))
until_done(session.unwrap)
plain.sendall(outgoing.read())
print('rest', plain.recv(1))
";

#[test]
fn l13_l45_a_client_begins_tls_in_the_middle_of_a_connection_to_cpythons_ssl() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for version in ["1.2", "1.3"] {
        let files = [
            identity.certificate_file.as_str(),
            &identity.key_file,
            version,
        ];
        let mut server = python(SERVER, &files);
        let port = server.wait_for("port ").parse().unwrap();
        for form in FORMS {
            let words = [
                "plain",
                "name=localhost",
                "--",
                "line",
                "info",
                "send:STARTTLS\\n",
                "line",
                "start",
                "info",
                "send:secret\\n",
                "line",
                "close",
                "closed",
            ];
            let printed = lines(client(&authority, form, port, &words));
            assert_eq!(printed.len(), 7, "{form}: {printed:?}");
            assert_eq!(printed[0], "line \"220 hello\\n\"");
            assert!(printed[1].starts_with("info version=- "), "{printed:?}");
            assert_eq!(printed[2..4], ["line \"220 go on\\n\"", "start Ok(())"]);
            assert!(
                printed[4].starts_with(&format!("info version=TLSv{version} ")),
                "{printed:?}"
            );
            assert!(
                printed[4].contains(" server_hostname=localhost "),
                "{printed:?}"
            );
            assert_eq!(printed[5..], ["line \"secret\\n\"", "closed Ok(())"]);
            assert_eq!(server.wait_for("asked "), r"b'STARTTLS\n'");
            assert_eq!(server.wait_for("session "), format!("TLSv{version}"));
            assert_eq!(server.wait_for("rest "), "b''", "the session was ended");
        }
    }
}

#[test]
fn l13_l44_a_server_takes_the_hello_that_came_with_the_line_before_it() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for (form, version) in FORMS.iter().flat_map(|form| [(form, "1.2"), (form, "1.3")]) {
        let words = [
            "plain",
            "identity=main",
            "--",
            "line",
            "buffered:100",
            "send:220 go on\\n",
            "start",
            "info",
            "echo",
            "close",
            "closed",
        ];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let port = address.port().to_string();
        let mut client = python(PIPELINING, &[&port, &authority.roots(), version]);
        assert_eq!(client.wait_for("answer "), r"b'220 go on\n'");
        assert_eq!(client.wait_for("line "), r"b'abc\n' b'def\n'");
        assert_eq!(client.wait_for("rest "), "b''", "the session was ended");
        assert_eq!(server.wait_for("line "), "\"STARTTLS\\n\"");
        assert_eq!(server.wait_for("start "), "Ok(())");
        let info = server.wait_for("info ");
        assert!(
            info.starts_with(&format!("version=TLSv{version} ")),
            "{info}"
        );
        assert_eq!(server.wait_for("echo "), "Ok(())");
        assert_eq!(server.wait_for("closed "), "Ok(())");
    }
}

#[test]
fn p8_a_client_refuses_bytes_that_were_put_before_the_session() {
    let authority = Authority::new();
    for form in FORMS {
        let (port, served) = peer(1, |mut tcp: TcpStream| {
            tcp.write_all(b"220 go on\n250 put in by somebody\n")
                .unwrap();
            let mut rest = Vec::new();
            drop(tcp.read_to_end(&mut rest));
            rest
        });
        let words = [
            "plain",
            "name=localhost",
            "--",
            "line",
            "buffered:10",
            "start",
            "all",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        assert_eq!(
            printed[..2],
            ["line \"220 go on\\n\"", "start Err(Tls(UnexpectedData))"],
            "{form}"
        );
        assert_eq!(served.join().unwrap(), [b""], "and nothing was sent");
    }
}

#[test]
fn p8_a_server_refuses_commands_that_were_put_behind_starttls() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = [
            "plain",
            "identity=main",
            "--",
            "line",
            "buffered:9",
            "start",
            "all",
        ];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.write_all(b"STARTTLS\nRCPT TO:<somebody@else.test>\n")
            .unwrap();
        drop(tcp.read_to_end(&mut Vec::new()));
        assert_eq!(server.wait_for("line "), "\"STARTTLS\\n\"", "{form}");
        assert_eq!(
            server.wait_for("start "),
            "Err(Tls(UnexpectedData))",
            "{form}"
        );
    }
}

#[test]
fn bytes_written_before_start_tls_are_sent_before_it() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |mut tcp: TcpStream| {
            let mut plain = vec![0; 1_000_000];
            tcp.read_exact(&mut plain).unwrap();
            assert!(plain.iter().all(|byte| *byte == b'.'));
            let wire = Wire::server(tcp, config.clone()).unwrap();
            let (secret, ended) = wire.rest();
            ended.unwrap();
            wire.send_end();
            secret
        });
        let words = [
            "plain",
            "name=localhost",
            "--",
            "fill:1000000",
            "start",
            "fill:1000000",
            "close",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        assert_eq!(printed, ["start Ok(())", "closed Ok(())"], "{form}");
        assert_eq!(served.join().unwrap()[0].len(), 1_000_000);
    }
}

#[test]
fn a_read_that_waits_goes_on_in_the_session() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp: TcpStream| {
            let mut line = String::new();
            BufReader::with_capacity(1, &tcp)
                .read_line(&mut line)
                .unwrap();
            assert_eq!(line, "go\n");
            let wire = Wire::server(tcp, config.clone()).unwrap();
            wire.send(b"in the session\n");
            wire.send_end();
            drop(wire.rest());
        });
        let words = [
            "plain",
            "name=localhost",
            "--",
            "reading",
            "send:go\\n",
            "start",
            "hold",
        ];
        let mut program = client(&authority, form, port, &words);
        assert_eq!(program.wait_for("start "), "Ok(())", "{form}");
        let read = program.wait_for("background ");
        assert_eq!(read, "\"in the session\\n\"", "{form}");
        drop(program);
        served.join().unwrap();
    }
}

#[test]
fn a_handshake_that_fails_in_the_middle_ends_the_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    let config = other.server_config(&other.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp| Wire::server(tcp, config.clone()).err());
        let words = [
            "plain",
            "name=localhost",
            "--",
            "start",
            "send:secret",
            "all",
        ];
        let printed = lines(client(&authority, form, port, &words));
        let unknown = "Tls(UnknownAuthority)";
        assert_eq!(printed[0], format!("start Err({unknown})"), "{form}");
        assert_eq!(
            printed[1],
            format!("write failed: Connection({unknown})"),
            "{form}"
        );
        assert_eq!(
            printed[2],
            format!("all failed: Connection({unknown})"),
            "{form}"
        );
        let told = served.join().unwrap().remove(0).unwrap();
        assert_eq!(told.to_string(), "received fatal alert: UnknownCA");
    }
}

#[test]
fn l24_the_end_of_a_session_that_was_begun_later_has_its_limit() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp| {
            let wire = Wire::server(tcp, config.clone()).unwrap();
            wire.rest().1.unwrap();
            drop(wire.peek());
        });
        let words = [
            "plain",
            "name=localhost",
            "shutdown=100",
            "--",
            "start",
            "close",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        assert_eq!(
            printed,
            ["start Ok(())", "closed Err(Tls(ShutdownTimeout))"],
            "{form}"
        );
        served.join().unwrap();
    }
}

#[test]
fn the_options_of_the_socket_stay_when_tls_begins_and_can_still_be_set() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp| {
            Wire::server(tcp, config.clone()).unwrap().rest()
        });
        let words = [
            "plain",
            "name=localhost",
            "--",
            "probes:3",
            "start",
            "probes:5",
            "probes:7",
            "send:secret",
            "close",
            "closed",
            "probes:9",
        ];
        let printed = lines(client(&authority, form, port, &words));
        assert!(printed[0].ends_with(" Ok(())"), "{form}: {printed:?}");
        assert_eq!(
            printed[1..],
            [
                "start Ok(())",
                "probes Ok(3) Ok(())",
                "probes Ok(5) Ok(())",
                "closed Ok(())",
                "probes Err(InvalidState) Err(InvalidState)",
            ],
            "{form}"
        );
        served.join().unwrap();
    }
}

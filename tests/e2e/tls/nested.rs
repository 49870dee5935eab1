//! Checks TLS inside TLS: sessions that begin on a connection that has one already.

use super::client::openssl;
use super::{FORMS, client, lines, server};
use crate::support::authority::{Authority, Identity};
use crate::support::{Process, python};

/// Serves one connection after another: answers a line in the outer session, sends lines
/// back in the inner one, and tells how each of them ends. Arguments: certificate, key,
/// the versions of the outer and of the inner session.
const SERVER: &str = "import socket, ssl, sys
certificate, key, *versions = sys.argv[1:]
def context(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
    context.minimum_version = context.maximum_version = exactly
    return context
contexts = [context(version) for version in versions]
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1])
while True:
    plain, _ = listener.accept()
    outer = contexts[0].wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
    asked = b''
    while not asked.endswith(b'\\n'):
        asked += outer.recv(1)
    print('asked', asked)
    outer.sendall(b'200 go on\\n')
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = contexts[1].wrap_bio(incoming, outgoing, server_side=True)
    def until_done(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                if data := outgoing.read():
                    outer.sendall(data)
            if data := outer.recv(65536):
                incoming.write(data)
            else:
                incoming.write_eof()
    try:
        until_done(inner.do_handshake)
        print('session', outer.version(), inner.version())
        while data := until_done(lambda: inner.read(65536)):
            inner.write(data)
            outer.sendall(outgoing.read())
        print('inner ended')
        until_done(inner.unwrap)
        print('outer ended', outer.recv(1))
        print('rest', outer.unwrap().recv(1))
    except OSError as error:
        print('error', error)
";

fn cpython(identity: &Identity, versions: [&str; 2]) -> (Process, u16) {
    let [outer, inner] = versions;
    started(SERVER, identity, &[outer, inner])
}

/// Starts a program that prints its port. Its arguments are the identity's files, and then
/// these.
fn started(program: &str, identity: &Identity, more: &[&str]) -> (Process, u16) {
    let files = [identity.certificate_file.as_str(), &identity.key_file];
    let mut server = python(program, &[&files, more].concat());
    let port = server.wait_for("port ").parse().unwrap();
    (server, port)
}

#[test]
fn a_client_begins_a_session_inside_another_one_of_cpythons_ssl() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for versions in [["1.2", "1.3"], ["1.3", "1.2"], ["1.3", "1.3"]] {
        let [outer, inner] = versions.map(|version| format!("TLSv{version}"));
        let (mut server, port) = cpython(&identity, versions);
        for form in FORMS {
            let words = [
                "name=localhost",
                "--",
                "info",
                "send:CONNECT\\n",
                "line",
                "start",
                "info",
                "send:secret\\n",
                "line",
                "fill:2000000",
                "count:2000000",
                "close",
                "closed",
            ];
            let printed = lines(client(&authority, form, port, &words));
            assert_eq!(printed.len(), 7, "{form}: {printed:?}");
            let begins = |line: &str, version: &str| {
                assert!(
                    line.starts_with(&format!("info version={version} ")),
                    "{line}"
                );
            };
            begins(&printed[0], &outer);
            assert_eq!(printed[1..3], ["line \"200 go on\\n\"", "start Ok(())"]);
            begins(&printed[3], &inner);
            assert_eq!(
                printed[4..],
                ["line \"secret\\n\"", "count Ok(2000000)", "closed Ok(())"],
                "{form}"
            );
            assert_eq!(server.wait_for("asked "), r"b'CONNECT\n'");
            assert_eq!(server.wait_for("session "), format!("{outer} {inner}"));
            assert_eq!(server.wait_for("inner "), "ended");
            assert_eq!(server.wait_for("outer "), "ended b''");
            assert_eq!(server.wait_for("rest "), "b''", "and then the connection");
        }
    }
}

/// Begins a session in another one with asyncio. Arguments: port, authority.
const CLIENT: &str = "import asyncio, ssl, sys
port, authority = sys.argv[1:]
async def main():
    context = ssl.create_default_context(cafile=authority)
    inner = ssl.create_default_context(cafile=authority)
    inner.maximum_version = ssl.TLSVersion.TLSv1_2
    reader, writer = await asyncio.open_connection(
        '127.0.0.1', int(port), ssl=context, server_hostname='localhost')
    writer.write(b'CONNECT\\n')
    print('answer', await reader.readline())
    await writer.start_tls(inner, server_hostname='localhost')
    print('session', writer.get_extra_info('ssl_object').version())
    writer.write(b'secret\\n')
    print('line', await reader.readline())
    writer.close()
    await writer.wait_closed()
    print('closed')
asyncio.run(main())
";

#[test]
fn a_server_begins_a_session_inside_another_one_of_cpythons_asyncio() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = [
            "identity=main",
            "--",
            "info",
            "line",
            "send:200 go on\\n",
            "start",
            "info",
            "echo",
            "close",
            "closed",
        ];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let port = address.port().to_string();
        let mut client = python(CLIENT, &[&port, &authority.roots()]);
        assert_eq!(client.wait_for("answer "), r"b'200 go on\n'", "{form}");
        assert_eq!(client.wait_for("session "), "TLSv1.2");
        assert_eq!(client.wait_for("line "), r"b'secret\n'");
        assert_eq!(client.wait_for("closed"), "");
        assert!(server.wait_for("info ").starts_with("version=TLSv1.3 "));
        assert_eq!(server.wait_for("line "), "\"CONNECT\\n\"");
        assert_eq!(server.wait_for("start "), "Ok(())");
        assert!(server.wait_for("info ").starts_with("version=TLSv1.2 "));
        assert_eq!(server.wait_for("echo "), "Ok(())");
        assert_eq!(server.wait_for("closed "), "Ok(())");
    }
}

/// An HTTPS proxy, which connects to the port that CONNECT names. Arguments: certificate,
/// key.
const PROXY: &str = "import asyncio, ssl, sys
async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
async def serve(reader, writer):
    method, target, _ = (await reader.readuntil(b'\\r\\n\\r\\n')).split(b' ', 2)
    print('asked', method.decode(), target.decode().split(':')[0])
    port = int(target.rsplit(b':', 1)[1])
    other_reader, other_writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(b'HTTP/1.1 200 OK\\r\\n\\r\\n')
    there = asyncio.create_task(copy(reader, other_writer))
    await copy(other_reader, writer)
    other_writer.close()
    writer.close()
    await writer.wait_closed()
    await there
    print('passed')
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:])
    server = await asyncio.start_server(serve, '127.0.0.1', 0, ssl=context)
    print('port', server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())
";

#[test]
fn a_client_reaches_openssls_server_through_an_https_proxy() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let (mut proxy, port) = started(PROXY, &identity, &[]);
    let (_server, target) = openssl(&identity, &["-alpn", "two"]);
    for form in FORMS {
        let connect = format!("send:CONNECT localhost:{target} HTTP/1.1\\r\\n\\r\\n");
        let words = [
            "name=localhost",
            "alpn=two",
            "--",
            "info",
            &connect,
            "until:\\r\\n\\r\\n",
            "start",
            "info",
            "send:abc\\n",
            "line",
            "close",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        assert_eq!(printed.len(), 6, "{form}: {printed:?}");
        assert!(printed[0].contains(" alpn_protocol=- "), "{printed:?}");
        assert_eq!(printed[1], "until \"HTTP/1.1 200 OK\\r\\n\\r\\n\"");
        assert_eq!(printed[2], "start Ok(())");
        assert!(printed[3].contains(" alpn_protocol=two "), "{printed:?}");
        assert_eq!(printed[4..], ["line \"cba\\n\"", "closed Ok(())"]);
        assert_eq!(proxy.wait_for("asked "), "CONNECT localhost");
    }
}

#[test]
fn an_outer_session_that_ends_first_cuts_the_inner_one_short() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let cutting = SERVER
        .replace("        print('inner ended')\n", "")
        .replace(
            "        while data := until_done(lambda: inner.read(65536)):\n",
            "        inner.write(b'one\\ntw')\n        outer.sendall(outgoing.read())\n        \
         outer.unwrap()\n        raise OSError('enough')\n        while True:\n",
        );
    assert_ne!(cutting, SERVER);
    let (_server, port) = started(&cutting, &identity, &["1.3", "1.3"]);
    for form in FORMS {
        let words = [
            "name=localhost",
            "--",
            "send:CONNECT\\n",
            "line",
            "start",
            "line",
            "line",
            "close",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        let cut = "Tls(UnexpectedEof)";
        assert_eq!(
            printed[1..],
            [
                "start Ok(())".to_owned(),
                "line \"one\\n\"".to_owned(),
                format!("line failed: Connection({cut})"),
                format!("closed Err({cut})"),
            ],
            "{form}"
        );
    }
}

#[test]
fn an_inner_handshake_that_fails_ends_the_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (outer, inner) = (authority.localhost(), other.localhost());
    let strange = SERVER.replace(
        "contexts = [",
        "strange = sys.argv.pop(), sys.argv.pop()\ncertificate, key, *versions = \
         sys.argv[1:]\ncontexts = [",
    );
    let strange = strange.replace(
        "listener = ",
        "contexts[1].load_cert_chain(*strange[::-1])\nlistener = ",
    );
    let more = ["1.3", "1.3", &inner.certificate_file, &inner.key_file];
    let (mut server, port) = started(&strange, &outer, &more);
    for form in FORMS {
        let words = [
            "name=localhost",
            "--",
            "send:CONNECT\\n",
            "line",
            "start",
            "send:secret",
            "closed",
        ];
        let printed = lines(client(&authority, form, port, &words));
        let unknown = "Tls(UnknownAuthority)";
        assert_eq!(
            printed[1..],
            [
                format!("start Err({unknown})"),
                format!("write failed: Connection({unknown})"),
                format!("closed Err({unknown})"),
            ],
            "{form}"
        );
        // unknown_ca
        let error = server.wait_for("error ");
        assert!(error.contains("UNKNOWN_CA"), "{error}");
    }
}

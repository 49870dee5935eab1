//! Checks the server side of TLS against clients that others have written.

use std::process::Command;

use super::{FORMS, server};
use crate::support::authority::{Authority, Identity};
use crate::support::{Process, python};

/// Sends a line and reads one. Arguments: port, authority, version, the name of the
/// server, the protocols, and certificate and key, if the client has any.
const CLIENT: &str = "import socket, ssl, sys
port, authority, version, name, protocols, *identity = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
if protocols:
    context.set_alpn_protocols(protocols.split(','))
exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = exactly
if identity:
    context.load_cert_chain(*identity)
plain = socket.create_connection(('127.0.0.1', int(port)))
try:
    session = context.wrap_socket(plain, server_hostname=name)
    print('session', session.version(), session.cipher()[0], session.selected_alpn_protocol())
    print('names', *(name for _, name in session.getpeercert()['subjectAltName']))
    session.sendall(b'abc\\n')
    print('line', session.makefile('rb').readline())
    print('rest', session.unwrap().recv(1))
except OSError as error:
    print('error', error)
";

/// Connects twice, the second time with the session of the first. Arguments: port,
/// authority, version.
const RETURNING: &str = "import socket, ssl, sys
port, authority, version = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = exactly
def visit(session):
    plain = socket.create_connection(('127.0.0.1', int(port)))
    connection = context.wrap_socket(plain, server_hostname='localhost', session=session)
    connection.sendall(b'abc\\n')
    connection.makefile('rb').readline()
    print('reused', connection.session_reused)
    return connection.session
visit(visit(None))
";

fn cpython(authority: &Authority, port: u16, words: &[&str]) -> Process {
    let (port, roots) = (port.to_string(), authority.roots());
    python(CLIENT, &[&[port.as_str(), &roots], words].concat())
}

/// Runs `openssl s_client`, which sends this and prints what it receives.
fn openssl(authority: &Authority, port: u16, input: &str, flags: &str) -> Process {
    let mut command = Command::new("bash");
    let roots = authority.roots();
    command.arg("-c").arg(format!(
        "printf '{input}' | openssl s_client -connect 127.0.0.1:{port} -servername localhost \
         -CAfile {roots} -verify_return_error {flags}"
    ));
    Process::start(command)
}

fn flags(identity: &Identity) -> [String; 1] {
    [identity.flag("main")]
}

const SENDS_BACK: [&str; 4] = ["identity=main", "--", "info", "echo"];

#[test]
fn openssl_is_served_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = [
            "identity=main",
            "alpn=two",
            "--",
            "info",
            "line",
            "send:answer\\n",
        ];
        let (mut server, address) = server(&flags(&identity), form, &words);
        for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let more = format!("-quiet -alpn one,two {flag}");
            let client = openssl(&authority, address.port(), "question\\n", &more).end();
            assert_eq!(client.stdout, "answer\n", "{client:?}");
            let info = server.wait_for("info ");
            assert!(
                info.starts_with(&format!("version={version} cipher=")),
                "{info}"
            );
            assert!(
                info.contains(" alpn_protocol=two server_hostname=localhost "),
                "{info}"
            );
            assert!(info.ends_with(" peercert=-"), "{info}");
            assert_eq!(server.wait_for("line "), "\"question\\n\"");
        }
    }
}

#[test]
fn a_client_that_returns_resumes_its_session() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let (_server, address) = server(&flags(&identity), form, &SENDS_BACK);
        let port = address.port().to_string();
        for version in ["1.2", "1.3"] {
            let visits = python(RETURNING, &[&port, &authority.roots(), version]);
            assert_eq!(visits.success(), "reused False\nreused True\n", "{version}");
        }
    }
}

#[test]
fn a_renegotiation_is_refused_and_the_server_goes_on() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let (mut server, address) = server(&flags(&identity), form, &SENDS_BACK);
        let client = openssl(&authority, address.port(), "R\\n", "-tls1_2").end();
        assert!(client.stderr.contains("RENEGOTIATING"), "{client:?}");
        assert!(client.stderr.contains("no renegotiation"), "{client:?}");
        server.wait_for("echo ");
        let mut next = cpython(&authority, address.port(), &["1.2", "localhost", ""]);
        assert_eq!(next.wait_for("line "), r"b'abc\n'");
    }
}

#[test]
fn curl_gets_a_page_over_https() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let page =
        "send:HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\npage 1";
    let words = [
        "identity=main",
        "alpn=http/1.1",
        "--",
        "until:\\r\\n\\r\\n",
        page,
        "close",
        "closed",
    ];
    for form in FORMS {
        let (mut server, address) = server(&flags(&identity), form, &words);
        let mut curl = Command::new("curl");
        let url = format!("https://localhost:{}/path", address.port());
        curl.args([
            "--silent",
            "--show-error",
            "--ipv4",
            "--noproxy",
            "*",
            "--fail",
        ])
        .args(["--cacert", &authority.roots(), &url]);
        assert_eq!(Process::start(curl).success(), "page 1", "{form}");
        let request = server.wait_for("until ");
        assert!(
            request.starts_with("\"GET /path HTTP/1.1\\r\\n"),
            "{request}"
        );
        assert_eq!(server.wait_for("closed "), "Ok(())");
    }
}

#[test]
fn cpythons_ssl_is_served_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = [
            "identity=main",
            "alpn=h2,http/1.1",
            "--",
            "info",
            "echo",
            "close",
            "closed",
        ];
        let (mut server, address) = server(&flags(&identity), form, &words);
        for version in ["1.2", "1.3"] {
            let words = [version, "localhost", "http/1.1,h2"];
            let mut client = cpython(&authority, address.port(), &words);
            let session = client.wait_for("session ");
            let [theirs, cipher, "h2"] = session.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{session}");
            };
            assert_eq!(theirs, format!("TLSv{version}"));
            assert_eq!(client.wait_for("line "), r"b'abc\n'");
            assert_eq!(client.wait_for("rest "), "b''", "the session was ended");
            let info = server.wait_for("info ");
            let ours = format!("version={theirs} cipher={cipher} alpn_protocol=h2 ");
            assert!(info.starts_with(&ours), "{info} is not {session}");
            assert_eq!(server.wait_for("echo "), "Ok(())");
            assert_eq!(server.wait_for("closed "), "Ok(())");
        }
    }
}

#[test]
fn clients_without_a_protocol_in_common_are_told_so_where_one_is_required() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "alpn=h2", "require-alpn", "--", "echo"];
        let (mut server, address) = server(&flags(&identity), form, &words);
        let mut client = cpython(
            &authority,
            address.port(),
            &["1.3", "localhost", "http/1.1"],
        );
        let error = client.wait_for("error ");
        assert!(error.contains("no application protocol"), "{error}");
        server.wait_for("handshake failed: ");
        // A client without protocols is served, and without the requirement so is any.
        let mut client = cpython(&authority, address.port(), &["1.3", "localhost", ""]);
        assert_eq!(client.wait_for("line "), r"b'abc\n'");
        let words = ["identity=main", "alpn=h2", "--", "echo"];
        let (_server, address) = super::server(&flags(&identity), form, &words);
        let words = ["1.3", "localhost", "http/1.1"];
        let mut client = cpython(&authority, address.port(), &words);
        assert!(client.wait_for("session ").ends_with(" None"), "{form}");
        assert_eq!(client.wait_for("line "), r"b'abc\n'");
    }
}

#[test]
fn certificates_of_clients_are_asked_for_or_required() {
    let authority = Authority::new();
    let (identity, alice) = (authority.localhost(), authority.client("alice"));
    let roots = format!("roots={}", authority.pem());
    let shown = format!(" peercert={} bytes", alice.certificate.der().len());
    let files = [alice.certificate_file.as_str(), &alice.key_file];
    for (form, mode) in FORMS
        .iter()
        .flat_map(|form| [(form, "optional"), (form, "required")])
    {
        let mode_word = format!("verify={mode}");
        let words = ["identity=main", &mode_word, &roots, "--", "info", "echo"];
        let (mut server, address) = server(&flags(&identity), form, &words);
        for version in ["1.2", "1.3"] {
            let bare = [version, "localhost", ""];
            let mut client = cpython(&authority, address.port(), &[&bare[..], &files].concat());
            assert_eq!(
                client.wait_for("line "),
                r"b'abc\n'",
                "{form} {mode} {version}"
            );
            let info = server.wait_for("info ");
            assert!(info.ends_with(&shown), "{info}");

            let mut client = cpython(&authority, address.port(), &bare);
            if mode == "optional" {
                assert_eq!(client.wait_for("line "), r"b'abc\n'", "{form} {version}");
                let info = server.wait_for("info ");
                assert!(info.ends_with(" peercert=-"), "{info}");
            } else {
                // In TLS 1.3 the client learns of the alert when it reads.
                let error = client.wait_for("error ");
                let told =
                    error.contains("CERTIFICATE_REQUIRED") || error.contains("HANDSHAKE_FAILURE");
                assert!(told, "{version}: {error}");
                assert_eq!(server.wait_for("handshake failed: "), "NoCertificate");
            }
        }
    }
}

#[test]
fn clients_with_certificates_of_an_unknown_authority_are_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (identity, mallory) = (authority.localhost(), other.client("mallory"));
    let roots = format!("roots={}", authority.pem());
    for (form, mode) in FORMS
        .iter()
        .flat_map(|form| [(form, "optional"), (form, "required")])
    {
        let mode = format!("verify={mode}");
        let words = ["identity=main", &mode, &roots, "--", "echo"];
        let (mut server, address) = server(&flags(&identity), form, &words);
        let words = [
            "1.3",
            "localhost",
            "",
            &mallory.certificate_file,
            &mallory.key_file,
        ];
        let mut client = cpython(&authority, address.port(), &words);
        let error = client.wait_for("error ");
        assert!(error.contains("UNKNOWN_CA"), "{error}");
        assert_eq!(server.wait_for("handshake failed: "), "UnknownAuthority");
    }
}

#[test]
fn the_name_that_a_client_asks_for_chooses_among_a_servers_certificates() {
    let authority = Authority::new();
    let one = authority.server("one", &["one.test"]);
    let two = authority.server("two", &["two.test", "*.two.test"]);
    let flags = [one.flag("one"), two.flag("two")];
    for form in FORMS {
        let words = ["identity=one", "identity=two", "--", "info", "echo"];
        let (mut server, address) = server(&flags, form, &words);
        for (name, names) in [
            ("one.test", "one.test"),
            ("two.test", "two.test *.two.test"),
            ("a.two.test", "two.test *.two.test"),
        ] {
            let mut client = cpython(&authority, address.port(), &["1.3", name, ""]);
            assert_eq!(client.wait_for("names "), names, "{form}");
            let info = server.wait_for("info ");
            assert!(
                info.contains(&format!(" server_hostname={name} ")),
                "{info}"
            );
        }
        // If no certificate fits, the server presents the first one, which this client
        // refuses.
        let mut client = cpython(&authority, address.port(), &["1.3", "three.test", ""]);
        let error = client.wait_for("error ");
        assert!(error.contains("Hostname mismatch"), "{error}");
        // bad_certificate
        assert_eq!(server.wait_for("handshake failed: "), "Alert(42)");
    }
}

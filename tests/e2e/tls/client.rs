//! Checks the client side of TLS against servers that others have written.

use std::process::Command;

use super::{FORMS, client, client_with, lines};
use crate::support::authority::{Authority, Identity};
use crate::support::{Process, python};

/// Sends lines back, and prints what each connection negotiated. Arguments: certificate,
/// key, version (`1.2` or `1.3`), and the authority of the clients, if they need
/// certificates.
const SERVER: &str = "import socket, ssl, sys
certificate, key, version, *authority = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(['h2', 'http/1.1'])
exactly = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}[version]
context.minimum_version = context.maximum_version = exactly
context.sni_callback = lambda session, name, _: print('name', name)
if authority:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority[0])
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1])
while True:
    plain, _ = listener.accept()
    try:
        session = context.wrap_socket(plain, server_side=True)
        print('session', session.version(), session.cipher()[0], session.selected_alpn_protocol())
        for field in (session.getpeercert() or {}).get('subject', ()):
            print('subject', field)
        for line in session.makefile('rb'):
            session.sendall(line)
        print('rest', session.unwrap().recv(1))
    except OSError as error:
        print('error', error)
";

fn cpython(identity: &Identity, version: &str, more: &[&str]) -> (Process, u16) {
    let files = [
        identity.certificate_file.as_str(),
        &identity.key_file,
        version,
    ];
    let mut server = python(SERVER, &[&files, more].concat());
    let port = server.wait_for("port ").parse().unwrap();
    (server, port)
}

/// Starts `openssl s_server`, which sends lines back in reverse.
pub(super) fn openssl(identity: &Identity, flags: &[&str]) -> (Process, u16) {
    let mut command = Command::new("stdbuf");
    command
        .args([
            "-oL",
            "openssl",
            "s_server",
            "-rev",
            "-accept",
            "127.0.0.1:0",
        ])
        .args([
            "-cert",
            &identity.certificate_file,
            "-key",
            &identity.key_file,
        ])
        .args(flags);
    let mut server = Process::start(command);
    let address = server.wait_for("ACCEPT ");
    let (_, port) = address.rsplit_once(':').unwrap();
    (server, port.parse().unwrap())
}

const ECHO: [&str; 6] = ["--", "info", "send:abc\\n", "line", "close", "closed"];

#[test]
fn openssl_serves_a_client_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (mut server, port) = openssl(&identity, &[flag, "-alpn", "two,one"]);
        for form in FORMS {
            let words = [&["alpn=one,two"], &ECHO[..]].concat();
            let printed = lines(client(&authority, form, port, &words));
            let [info, line, closed] = &printed[..] else {
                panic!("{form}: {printed:?}");
            };
            assert!(
                info.starts_with(&format!("info version={version} cipher=")),
                "{info}"
            );
            assert!(
                info.contains(" alpn_protocol=two server_hostname=localhost "),
                "{info}"
            );
            let der = identity.certificate.der().len();
            assert!(info.ends_with(&format!(" peercert={der} bytes")), "{info}");
            assert_eq!(
                [line, closed],
                ["line \"cba\\n\"", "closed Ok(())"],
                "{form}"
            );
            server.wait_for(&format!("Protocol version: {version}"));
            let cipher = server.wait_for("Ciphersuite: ");
            assert!(
                info.contains(&format!(" cipher={cipher} ")),
                "{info} is not {cipher}"
            );
            server.wait_for("CONNECTION CLOSED");
        }
    }
}

#[test]
fn cpythons_ssl_serves_a_client_over_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let identity = authority.localhost();
    for version in ["1.2", "1.3"] {
        let (mut server, port) = cpython(&identity, version, &[]);
        for form in FORMS {
            let words = [&["alpn=spdy,http/1.1"], &ECHO[..]].concat();
            let printed = lines(client(&authority, form, port, &words));
            let session = server.wait_for("session ");
            let words: Vec<&str> = session.split(' ').collect();
            let [theirs, cipher, "http/1.1"] = words[..] else {
                panic!("{session}");
            };
            assert_eq!(theirs, format!("TLSv{version}"));
            let ours = format!("info version={theirs} cipher={cipher} alpn_protocol=http/1.1 ");
            assert!(
                printed[0].starts_with(&ours),
                "{printed:?} is not {session}"
            );
            assert_eq!(printed[1..], ["line \"abc\\n\"", "closed Ok(())"], "{form}");
            assert_eq!(server.wait_for("name "), "localhost");
            assert_eq!(server.wait_for("rest "), "b''", "the session was ended");
        }
    }
}

#[test]
fn a_client_without_protocols_of_its_own_has_none() {
    let authority = Authority::new();
    let (_server, port) = cpython(&authority.localhost(), "1.3", &[]);
    for form in FORMS {
        let printed = lines(client(&authority, form, port, &ECHO));
        assert!(printed[0].contains(" alpn_protocol=- "), "{printed:?}");
    }
}

#[test]
fn a_client_shows_the_certificate_that_the_policy_knows_by_name() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let alice = authority.client("alice");
    let flags = [authority.roots_flag(), alice.flag("mine")];
    let words = [&["identity=mine"], &ECHO[..]].concat();
    for version in ["1.2", "1.3"] {
        let (mut server, port) = cpython(&identity, version, &[&authority.roots()]);
        for form in FORMS {
            let printed = lines(client_with(&flags, form, port, &words));
            assert_eq!(printed[1..], ["line \"abc\\n\"", "closed Ok(())"], "{form}");
            assert_eq!(server.wait_for("subject "), "(('commonName', 'alice'),)");
        }
    }
    let ask = [
        "-Verify",
        "1",
        "-verify_return_error",
        "-CAfile",
        &authority.roots(),
    ];
    let (mut server, port) = openssl(&identity, &ask);
    for form in FORMS {
        let printed = lines(client_with(&flags, form, port, &words));
        assert_eq!(printed[1..], ["line \"cba\\n\"", "closed Ok(())"], "{form}");
        assert_eq!(server.wait_for("Peer certificate: "), "CN = alice");
        server.wait_for("Verification: OK");
    }
}

#[test]
fn a_client_that_wants_tls_1_3_takes_no_less() {
    let authority = Authority::new();
    let (mut server, port) = cpython(&authority.localhost(), "1.2", &[]);
    for form in FORMS {
        let printed = lines(client(
            &authority,
            form,
            port,
            &["minimum=1.3", "--", "info"],
        ));
        // protocol_version
        assert_eq!(printed, ["failed: Tls(Alert(70))"], "{form}");
        let error = server.wait_for("error ");
        assert!(error.contains("UNSUPPORTED_PROTOCOL"), "{error}");
    }
}

#[test]
fn oc15_the_name_is_the_host_unless_one_is_given() {
    let authority = Authority::new();
    let identity = authority.server("elsewhere", &["elsewhere.test"]);
    let (mut server, port) = cpython(&identity, "1.3", &[]);
    for form in FORMS {
        let words = [&["name=elsewhere.test"], &ECHO[..]].concat();
        let printed = lines(client(&authority, form, port, &words));
        assert!(
            printed[0].contains(" server_hostname=elsewhere.test "),
            "{printed:?}"
        );
        assert_eq!(printed[1..], ["line \"abc\\n\"", "closed Ok(())"], "{form}");
        assert_eq!(server.wait_for("name "), "elsewhere.test");

        let printed = lines(client(&authority, form, port, &ECHO));
        assert!(
            printed[0].starts_with("failed: Tls(WrongName("),
            "{printed:?}"
        );
        assert!(printed[0].contains("localhost"), "{printed:?}");
        assert!(printed[0].contains("elsewhere.test"), "{printed:?}");
        assert_eq!(server.wait_for("name "), "localhost");
    }
}

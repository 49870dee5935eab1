//! Checks handshakes that fail: both ends have to learn why.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use super::wire::Wire;
use super::{FORMS, client, lines, peer, server};
use crate::support::authority::{Authority, Identity};

/// Runs the program as a client of this server. Returns what the program prints, and the
/// error of the server.
fn refused(authority: &Authority, form: &str, identity: &Identity) -> (String, String) {
    let config = authority.server_config(identity);
    let (port, served) = peer(1, move |tcp| Wire::server(tcp, config.clone()).err());
    let printed = lines(client(authority, form, port, &["--", "info"]));
    let told = served.join().unwrap().remove(0);
    (printed.join("\n"), told.unwrap().to_string())
}

#[test]
fn t8_each_certificate_that_will_not_do_is_an_error_of_its_own_at_both_ends() {
    let (authority, other) = (Authority::new(), Authority::new());
    let alone = authority.self_signed(&["localhost"]);
    for form in FORMS {
        for (identity, ours, theirs) in [
            (&authority.expired(), "Expired", "CertificateExpired"),
            (
                &authority.not_yet_valid(),
                "NotYetValid",
                "CertificateExpired",
            ),
            (&other.localhost(), "UnknownAuthority", "UnknownCA"),
            (&alone, "UnknownAuthority", "UnknownCA"),
        ] {
            let (printed, told) = refused(&authority, form, identity);
            assert_eq!(printed, format!("failed: Tls({ours})"), "{form}");
            assert_eq!(told, format!("received fatal alert: {theirs}"), "{form}");
        }
        let elsewhere = authority.server("elsewhere", &["elsewhere.test"]);
        let (printed, told) = refused(&authority, form, &elsewhere);
        assert!(printed.starts_with("failed: Tls(WrongName("), "{printed}");
        assert!(
            printed.contains("localhost") && printed.contains("elsewhere.test"),
            "{printed}"
        );
        assert_eq!(told, "received fatal alert: BadCertificate", "{form}");
    }
}

#[test]
fn t6_a_server_that_does_not_speak_tls_is_recognised() {
    let authority = Authority::new();
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"220 mail.test ESMTP\r\n",
        &[0; 64],
    ];
    for (form, answer) in FORMS
        .iter()
        .flat_map(|form| answers.map(|answer| (form, answer)))
    {
        let (port, served) = peer(1, move |mut tcp: TcpStream| {
            tcp.write_all(answer).unwrap();
            // Waits for the end or a reset.
            drop(tcp.read_to_end(&mut Vec::new()));
        });
        let printed = lines(client(&authority, form, port, &["--", "info"]));
        assert_eq!(printed, ["failed: Tls(NotTls)"], "{form}");
        served.join().unwrap();
    }
}

#[test]
fn t6_a_client_that_does_not_speak_tls_is_reported_and_closed() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let garbage: [&[u8]; 3] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"hello\n",
        &[0; 64],
    ];
    for form in FORMS {
        let words = ["identity=main", "--", "echo"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        for bytes in garbage {
            let mut tcp = TcpStream::connect(address).unwrap();
            tcp.write_all(bytes).unwrap();
            // The server may send an alert before it ends or resets the connection.
            drop(tcp.read_to_end(&mut Vec::new()));
            assert_eq!(
                server.wait_for("handshake failed: "),
                "NotTls",
                "{form}: {bytes:?}"
            );
        }
        let tcp = TcpStream::connect(address).unwrap();
        let wire = Wire::client(tcp, authority.client_config(), "localhost").unwrap();
        wire.send(b"still there?\n");
        assert_eq!(wire.exactly(13), "still there?\n");
    }
}

#[test]
fn t7_a_peer_that_goes_during_the_handshake_is_an_error_at_once() {
    let authority = Authority::new();
    for form in FORMS {
        let (port, served) = peer(1, |mut tcp: TcpStream| {
            // Waits for the first bytes of the client's hello.
            tcp.read_exact(&mut [0; 5]).unwrap();
            tcp.shutdown(Shutdown::Write).unwrap();
            drop(tcp.read_to_end(&mut Vec::new()));
        });
        let printed = lines(client(&authority, form, port, &["--", "info"]));
        assert_eq!(printed, ["failed: Tls(UnexpectedEof)"], "{form}");
        served.join().unwrap();

        let (port, served) = peer(1, |mut tcp: TcpStream| {
            tcp.read_exact(&mut [0; 5]).unwrap();
            Wire::plain(tcp).reset();
        });
        let printed = lines(client(&authority, form, port, &["--", "info"])).join("\n");
        assert!(printed.starts_with("failed: Failed("), "{printed}");
        assert!(printed.contains("code: ConnectionReset"), "{printed}");
        served.join().unwrap();
    }
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "--", "echo"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        for begun in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
            let mut tcp = TcpStream::connect(address).unwrap();
            tcp.write_all(begun).unwrap();
            tcp.shutdown(Shutdown::Write).unwrap();
            drop(tcp.read_to_end(&mut Vec::new()));
            assert_eq!(
                server.wait_for("handshake failed: "),
                "UnexpectedEof",
                "{form}"
            );
        }
    }
}

#[test]
fn oc16_a_server_that_says_nothing_is_given_up_when_the_limit_is_over() {
    let authority = Authority::new();
    for form in FORMS {
        let (port, served) = peer(1, |mut tcp: TcpStream| {
            // Waits until the client gives up.
            let mut hello = Vec::new();
            drop(tcp.read_to_end(&mut hello));
            hello
        });
        let printed = lines(client(
            &authority,
            form,
            port,
            &["handshake=100", "--", "info"],
        ));
        assert_eq!(printed, ["failed: Tls(HandshakeTimeout)"], "{form}");
        let hello = served.join().unwrap().remove(0);
        assert_eq!(hello[0], 22, "a handshake had begun");
    }
}

#[test]
fn oc16_a_limit_of_nothing_is_refused() {
    let authority = Authority::new();
    for (form, setting) in FORMS
        .iter()
        .flat_map(|form| [(form, "handshake=0"), (form, "shutdown=0")])
    {
        let printed = lines(client(&authority, form, 1, &[setting, "--", "info"])).join("\n");
        assert!(printed.starts_with("failed: InvalidArgument("), "{printed}");
        let name = setting.trim_end_matches("=0");
        assert!(
            printed.contains(&format!("ssl-{name}-timeout")),
            "{printed}"
        );
    }
}

#[test]
fn a_server_that_wants_a_certificate_refuses_a_client_without_one() {
    let authority = Authority::new();
    let config = authority.asking_server_config(&authority.localhost());
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp| Wire::server(tcp, config.clone()).err());
        // In TLS 1.3 the client's handshake has ended by then. The client learns of the
        // alert when it reads.
        let printed = lines(client(&authority, form, port, &["--", "line"]));
        // certificate_required
        assert_eq!(
            printed,
            ["line failed: Connection(Tls(Alert(116)))"],
            "{form}"
        );
        let told = served.join().unwrap().remove(0).unwrap();
        assert_eq!(told.to_string(), "peer sent no certificates");
    }
}

#[test]
fn a_client_that_does_not_trust_the_server_is_reported_by_its_alert() {
    let (authority, other) = (Authority::new(), Authority::new());
    let identity = authority.localhost();
    for form in FORMS {
        let words = ["identity=main", "--", "echo"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let tcp = TcpStream::connect(address).unwrap();
        assert!(Wire::client(tcp, other.client_config(), "localhost").is_err());
        // unknown_ca
        assert_eq!(server.wait_for("handshake failed: "), "Alert(48)", "{form}");
    }
}

#[test]
fn a_client_without_a_protocol_in_common_is_told_so() {
    let authority = Authority::new();
    let mut config = Arc::unwrap_or_clone(authority.server_config(&authority.localhost()));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    for form in FORMS {
        let config = config.clone();
        let (port, served) = peer(1, move |tcp| Wire::server(tcp, config.clone()).err());
        let printed = lines(client(
            &authority,
            form,
            port,
            &["alpn=http/1.1", "--", "info"],
        ));
        // no_application_protocol
        assert_eq!(printed, ["failed: Tls(Alert(120))"], "{form}");
        let told = served.join().unwrap().remove(0).unwrap();
        assert_eq!(told.to_string(), "peer doesn't support any known protocol");
    }
}

#[test]
fn a_client_of_a_server_that_has_other_protocols_is_served_unless_one_is_required() {
    let authority = Authority::new();
    let identity = authority.localhost();
    let mut config = Arc::unwrap_or_clone(authority.client_config());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    for form in FORMS {
        let words = ["identity=main", "alpn=http/1.1", "--", "info", "echo"];
        let (mut server, address) = server(&[identity.flag("main")], form, &words);
        let tcp = TcpStream::connect(address).unwrap();
        let wire = Wire::client(tcp, config.clone(), "localhost").unwrap();
        wire.send(b"hello\n");
        assert_eq!(wire.exactly(6), "hello\n");
        let info = server.wait_for("info ");
        assert!(info.contains(" alpn_protocol=- "), "{form}: {info}");

        let words = [
            "identity=main",
            "alpn=http/1.1",
            "require-alpn",
            "--",
            "info",
        ];
        let (mut server, address) = super::server(&[identity.flag("main")], form, &words);
        let tcp = TcpStream::connect(address).unwrap();
        let error = Wire::client(tcp, config.clone(), "localhost")
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "received fatal alert: NoApplicationProtocol"
        );
        let why = server.wait_for("handshake failed: ");
        assert_eq!(
            why, "Other(\"peer doesn't support any known protocol\")",
            "{form}"
        );
    }
}

#[test]
fn a_client_that_requires_a_protocol_refuses_a_server_that_chooses_none() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.localhost());
    for form in FORMS {
        for (required, begins) in [
            (&["alpn=h2"][..], "info "),
            (
                &["alpn=h2", "require-alpn"],
                "failed: Tls(Other(\"the server chose none",
            ),
        ] {
            let config = config.clone();
            let (port, served) = peer(1, move |tcp| {
                let wire = Wire::server(tcp, config.clone()).unwrap();
                drop(wire.rest());
            });
            let words = [required, &["--", "info"]].concat();
            let printed = lines(client(&authority, form, port, &words));
            assert!(printed[0].starts_with(begins), "{form}: {printed:?}");
            served.join().unwrap();
        }
        let (port, _) = peer(1, drop);
        let words = ["require-alpn", "--", "info"];
        let printed = lines(client(&authority, form, port, &words));
        assert!(printed[0].contains("application protocol"), "{printed:?}");
    }
}

//! Checks the host's policy on TLS.

use std::net::TcpStream;
use std::process::Command;

use super::wire::Wire;
use super::{FORMS, client_with, lines, peer, server, server_that_fails};
use crate::support::Process;
use crate::support::authority::Authority;

/// Returns what the program prints and what the host reports. The program has to succeed.
fn told(program: Process) -> (String, String) {
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    (ended.stdout, ended.stderr)
}

/// Starts a server with a certificate of this authority that sends a line. Returns its
/// port.
fn greeting(authority: &Authority) -> u16 {
    let config = authority.server_config(&authority.localhost());
    let (port, _) = peer(100, move |tcp| {
        // Some clients do not trust the certificate.
        if let Ok(wire) = Wire::server(tcp, config.clone()) {
            wire.send(b"hello\n");
            wire.send_end();
            drop(wire.rest());
        }
    });
    port
}

#[test]
fn an_identity_that_the_policy_does_not_know_is_denied_and_the_log_names_the_option() {
    let authority = Authority::new();
    let flags = [authority.roots_flag(), authority.localhost().flag("main")];
    for form in FORMS {
        let (printed, log) = told(client_with(
            &flags,
            form,
            1,
            &["identity=other", "--", "info"],
        ));
        assert_eq!(printed, "failed: Tls(AccessDenied)\n", "{form}");
        assert!(
            log.contains("--tls-identity") && log.contains("other"),
            "{log}"
        );

        let (printed, log) = told(server_that_fails(
            &flags,
            form,
            &["identity=other", "--", "info"],
        ));
        assert_eq!(printed, "failed: Tls(AccessDenied)\n", "{form}");
        assert!(
            log.contains("--tls-identity") && log.contains("other"),
            "{log}"
        );
        assert!(!log.contains("listening"), "{log}");
    }
}

#[test]
fn roots_of_the_programs_own_need_a_permission() {
    let authority = Authority::new();
    let port = greeting(&authority);
    let roots = format!("roots={}", authority.pem());
    let words = [&roots, "--", "line"];
    for form in FORMS {
        let (printed, log) = told(client_with(&[], form, port, &words));
        assert_eq!(printed, "failed: Tls(AccessDenied)\n", "{form}");
        assert!(log.contains("--allow-tls-guest-roots"), "{log}");

        let allow = ["--allow-tls-guest-roots".to_owned()];
        let printed = lines(client_with(&allow, form, port, &words));
        assert_eq!(printed, ["line \"hello\\n\""], "{form}");

        // The program trusts those roots, and no others.
        let other = format!("roots={}", Authority::new().pem());
        let flags = [authority.roots_flag(), allow[0].clone()];
        let printed = lines(client_with(&flags, form, port, &[&other, "--", "line"]));
        assert_eq!(printed, ["failed: Tls(UnknownAuthority)"], "{form}");
    }
}

#[test]
fn not_to_verify_needs_a_permission_and_is_loud() {
    let (authority, other) = (Authority::new(), Authority::new());
    let port = greeting(&authority);
    for form in FORMS {
        let roots = [other.roots_flag()];
        let (printed, log) = told(client_with(
            &roots,
            form,
            port,
            &["verify=none", "--", "line"],
        ));
        assert_eq!(printed, "failed: Tls(AccessDenied)\n", "{form}");
        assert!(log.contains("--allow-tls-unverified"), "{log}");

        let allow = [other.roots_flag(), "--allow-tls-unverified".to_owned()];
        let (printed, log) = told(client_with(
            &allow,
            form,
            port,
            &["verify=none", "--", "line"],
        ));
        assert_eq!(printed, "line \"hello\\n\"\n", "{form}");
        assert!(
            log.contains("warning: the program does not check"),
            "{form}: {log}"
        );
    }
}

#[test]
fn oc15_without_a_name_nothing_is_checked_about_it_which_needs_a_permission() {
    let authority = Authority::new();
    let config = authority.server_config(&authority.server("elsewhere", &["elsewhere.test"]));
    let (port, _) = peer(100, move |tcp| {
        if let Ok(wire) = Wire::server(tcp, config.clone()) {
            wire.send(b"hello\n");
            wire.send_end();
            drop(wire.rest());
        }
    });
    for form in FORMS {
        let flags = [authority.roots_flag()];
        let (printed, log) = told(client_with(&flags, form, port, &["name=", "--", "line"]));
        assert_eq!(printed, "failed: Tls(AccessDenied)\n", "{form}");
        assert!(log.contains("--allow-tls-unverified"), "{log}");

        let flags = [authority.roots_flag(), "--allow-tls-unverified".to_owned()];
        let printed = lines(client_with(&flags, form, port, &["name=", "--", "line"]));
        assert_eq!(printed, ["line \"hello\\n\""], "{form}");

        // The client still checks the authority.
        let other = Authority::new();
        let flags = [other.roots_flag(), flags[1].clone()];
        let printed = lines(client_with(&flags, form, port, &["name=", "--", "line"]));
        assert_eq!(printed, ["failed: Tls(UnknownAuthority)"], "{form}");
    }
}

#[test]
fn without_flags_the_webs_authorities_are_trusted_and_no_other() {
    let authority = Authority::new();
    let port = greeting(&authority);
    for form in FORMS {
        let printed = lines(client_with(&[], form, port, &["--", "line"]));
        assert_eq!(printed, ["failed: Tls(UnknownAuthority)"], "{form}");
        let none = ["--tls-roots=none".to_owned()];
        let printed = lines(client_with(&none, form, port, &["--", "line"])).join("\n");
        assert!(printed.starts_with("failed: InvalidArgument("), "{printed}");
    }
}

#[test]
fn a_server_without_an_identity_does_not_start() {
    let authority = Authority::new();
    for form in FORMS {
        let flags = [authority.localhost().flag("main")];
        let (printed, log) = told(server_that_fails(&flags, form, &["--", "echo"]));
        assert!(printed.starts_with("failed: InvalidArgument("), "{printed}");
        assert!(printed.contains("identity"), "{printed}");
        assert!(!log.contains("listening"), "{log}");
    }
}

#[test]
fn files_that_were_changed_are_read_again_at_a_sighup_and_connections_live_on() {
    for form in FORMS {
        let authority = Authority::new();
        let old = authority.localhost();
        let words = ["identity=main", "--", "echo"];
        let (mut server, address) = server(&[old.flag("main")], form, &words);
        let connect = || {
            let tcp = TcpStream::connect(address).unwrap();
            Wire::client(tcp, authority.client_config(), "localhost").unwrap()
        };
        let first = connect();
        let serial = first.peer_certificate();
        assert_eq!(serial, old.certificate.der().to_vec());

        let new = authority.server("new", &["localhost"]).replace(&old);
        server.signal("HUP");
        server.wait_for_part("TLS files were read again");
        let second = connect();
        assert_eq!(
            second.peer_certificate(),
            new.certificate.der().to_vec(),
            "{form}"
        );
        for wire in [&first, &second] {
            wire.send(b"still here\n");
            assert_eq!(wire.exactly(11), "still here\n", "{form}");
        }

        // The host keeps the identity if the file cannot be read.
        std::fs::write(&old.certificate_file, "no certificate").unwrap();
        server.signal("HUP");
        server.wait_for_part(&old.certificate_file);
        let third = connect();
        assert_eq!(
            third.peer_certificate(),
            new.certificate.der().to_vec(),
            "{form}"
        );
        second.send(b"still here\n");
        assert_eq!(second.exactly(11), "still here\n", "{form}");
    }
}

#[test]
fn a_certificate_of_openssl_is_trusted_by_itself_at_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    // Its default is CA:TRUE.
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"])
        .args([
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", &key, "-out", &certificate]);
    Process::start(command).success();
    let flags = [
        format!("--tls-identity=main={certificate},{key}"),
        format!("--tls-roots={certificate}"),
    ];
    for form in FORMS {
        let words = ["identity=main", "verify=required", "--", "echo"];
        let (_server, address) = server(&flags, form, &words);
        let words = ["identity=main", "--", "send:abc\\n", "line", "info"];
        let printed = lines(client_with(&flags, form, address.port(), &words));
        assert_eq!(printed[0], "line \"abc\\n\"", "{form}: {printed:?}");

        // Others are not trusted because of it.
        let other = Authority::new();
        let flags = [other.localhost().flag("main"), flags[1].clone()];
        let words = ["identity=main", "--", "line"];
        let printed = lines(client_with(&flags, form, address.port(), &words));
        assert!(
            printed[0].starts_with("line failed: Connection(Tls("),
            "{printed:?}"
        );
    }
}

//! Checks the files with certificates, roots and private keys.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::command;
use crate::support::{Process, component, run};

/// A folder with `cert.pem` and `key.pem`.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.renew();
        files
    }

    /// Writes another certificate, with a key of its own.
    fn renew(&self) {
        let names = ["a.example".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        self.write("cert.pem", &cert.pem());
        self.write("key.pem", &signing_key.serialize_pem());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn identity(&self, name: &str) -> String {
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| self.path(name));
        format!("{name}={},{}", certificate.display(), key.display())
    }
}

#[test]
fn files_that_can_be_used_are_no_reason_not_to_start() {
    let files = Files::new();
    let roots = files.path("cert.pem").display().to_string();
    let flags = [
        "--tls-identity",
        &files.identity("web"),
        "--tls-identity",
        &files.identity("other"),
        "--tls-roots",
        "webpki",
        "--tls-roots",
        &roots,
        "--allow-tls-guest-roots",
        "--allow-tls-unverified",
    ];
    run(&flags, "probe", &[]).success();
}

#[test]
fn a_file_that_cannot_be_used_is_named_before_the_program_starts() {
    let files = Files::new();
    files.write("empty.pem", "");
    let empty = files.path("empty.pem").display().to_string();
    let (whole, name) = (files.identity("web"), format!("web={empty}"));
    for (flags, text) in [
        (
            &["--tls-identity", &name][..],
            format!("{empty}: there is no certificate"),
        ),
        (
            &["--tls-roots", &empty],
            format!("{empty}: there is no certificate"),
        ),
        (
            &["--tls-roots", "webpk"],
            "webpk: cannot read it".to_owned(),
        ),
        (
            &["--tls-identity", "web"],
            "NAME=CERT.pem,KEY.pem".to_owned(),
        ),
        (
            &["--tls-identity", &whole, "--tls-identity", &whole],
            "`web` is given twice".to_owned(),
        ),
    ] {
        let ended = run(flags, "probe", &[]).end();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(flags[0]), "{ended:?}");
        assert!(ended.stderr.contains(&text), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn the_systems_roots_are_found_or_it_is_said_how() {
    let files = Files::new();
    files.write("empty.pem", "");
    let with = |file| {
        let mut command = command(&["run", "--tls-roots", "platform"]);
        command
            .arg(component("probe"))
            .env("SSL_CERT_FILE", files.path(file))
            .env_remove("SSL_CERT_DIR");
        Process::start(command).end()
    };
    assert_eq!(with("cert.pem").code, Some(0));
    let ended = with("empty.pem");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let text = "--tls-roots: the system's TLS roots: none found";
    assert!(ended.stderr.contains(text), "{ended:?}");
}

fn server(flags: &[&str]) -> Process {
    let flags = [&["--allow-listen", "tcp://127.0.0.1:0"], flags].concat();
    let mut server = run(&flags, "finishes", &["127.0.0.1", "0"]);
    server.listening();
    server
}

#[test]
fn sighup_reads_the_files_again_and_reports_the_result() {
    let files = Files::new();
    let mut server = server(&["--tls-identity", &files.identity("web")]);
    files.renew();
    server.signal("HUP");
    server.wait_for("asyncio-streams: TLS files were read again");
    files.write("key.pem", "lost");
    server.signal("HUP");
    let rest = server.wait_for(&format!(
        "asyncio-streams: {}: ",
        files.path("key.pem").display()
    ));
    assert!(rest.starts_with("there is no private key in it"), "{rest}");
    assert!(
        rest.ends_with("its previous content stays in use"),
        "{rest}"
    );
    files.renew();
    server.signal("HUP");
    server.wait_for("asyncio-streams: TLS files were read again");
    server.signal("INT");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn without_such_files_sighup_ends_the_command_as_it_does_any_other() {
    // `nohup` lets the processes that it starts ignore the signal, this test among them.
    let mut command = Command::new("env");
    command
        .args([
            "--default-signal=HUP",
            env!("CARGO_BIN_EXE_asyncio-streams"),
            "run",
        ])
        .args(["--allow-listen", "tcp://127.0.0.1:0", "--tls-roots", "none"])
        .arg(component("finishes"))
        .args(["127.0.0.1", "0"]);
    let mut server = Process::start(command);
    server.listening();
    server.signal("HUP");
    assert_eq!(server.end().code, None);
}

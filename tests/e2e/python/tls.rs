//! Checks TLS in Python beyond the checks of behaviours/: https, certificates, and what
//! is denied.

use std::process::Command;

use super::identities::Identities;
use super::{behaviours, cpython, results};
use crate::support::{Process, python, run, workspace};

/// Returns how the check ended: `ok` or `failed`.
fn outcome<'a>(result: &'a str, check: &str) -> &'a str {
    let (outcome, name) = result.split_once(' ').unwrap();
    assert_eq!(name, check);
    outcome
}

#[test]
fn http_headers_over_tls_prints_what_cpythons_does() {
    let server = "import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response_only(200)
        self.send_header('X-Path', self.path)
        self.send_header('X-TLS', self.connection.version())
        self.end_headers()
class Server(http.server.HTTPServer):
    def shutdown_request(self, request):
        request.unwrap().close()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server = Server(('127.0.0.1', 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print('port', server.server_port)
server.serve_forever()";
    let identities = Identities::new();
    let mut server = python(server, &[&identities.file("localhost")]);
    let port = server.wait_for("port ");
    let url = format!("https://localhost:{port}/path/page.html");
    let allow = format!("--allow-connect=tcp://localhost:{port}");
    let roots = format!("--tls-roots={}", identities.roots());
    let ours = run(&[&allow, &roots], "http-headers-py", &[&url]).success();
    assert_eq!(
        ours,
        "HTTP header> HTTP/1.0 200 OK\n\
         HTTP header> X-Path: /path/page.html\n\
         HTTP header> X-TLS: TLSv1.3\n"
    );
    // Without the authority, both refuse the server.
    let theirs = cpython("http_headers", &[&url]).end();
    assert_eq!(theirs.code, Some(1), "{theirs:?}");
    let strange = run(&[&allow], "http-headers-py", &[&url]).end();
    assert_eq!(strange.code, Some(1), "{strange:?}");
    for ended in [theirs, strange] {
        let refused = "SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate \
                       verify failed: unable to get local issuer certificate";
        assert!(ended.stderr.contains(refused), "{ended:?}");
    }
}

/// Shows that a context that checks less does not work by accident.
#[test]
fn a_denied_option_is_a_permission_error_and_the_flag_is_named() {
    let cases = [
        (
            "oc15_an_empty_name_is_not_checked",
            "--allow-tls-unverified",
            "--allow-tls-guest-roots",
        ),
        (
            "oc13_without_any_check_strangers_are_taken_and_their_details_are_not",
            "--allow-tls-guest-roots",
            "--allow-tls-unverified",
        ),
    ];
    for (check, needed, other) in cases {
        let denied = behaviours("0", &[other], &[check]);
        assert_eq!(outcome(results(&denied)[0], check), "failed");
        assert!(denied.stderr.contains("PermissionError: "), "{denied:?}");
        assert!(denied.stderr.contains(needed), "{denied:?}");
        let allowed = behaviours("0", &[needed, other], &[check]);
        assert_eq!(outcome(results(&allowed)[0], check), "ok", "{allowed:?}");
    }
}

#[test]
fn certificates_are_read_as_cpython_reads_them() {
    let mut command = Command::new("python3");
    command.arg(workspace().join("python/tests/certificates.py"));
    let printed = Process::start(command).success();
    let compared = printed.strip_prefix("ok ").unwrap();
    let (count, fields) = compared.split_once(' ').unwrap();
    assert!(count.parse::<usize>().unwrap() > 15, "{printed}");
    assert!(fields.contains("subjectAltName"), "{printed}");
}

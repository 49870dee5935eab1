//! Runs the example `http-headers`, in each of its forms, against nginx.

use std::fs;

use tempfile::TempDir;

use crate::python::cpython;
use crate::support::authority::{Authority, Identity};
use crate::support::{Process, python, run};

const STATIC: &str = "http-headers";
const COMPOSED: &str = "http-headers-wit";
const PYTHON: &str = "http-headers-py";

const RUST: [&str; 2] = [STATIC, COMPOSED];

/// Finds a port, writes the configuration for it, and becomes nginx. A socket that never
/// listens keeps the port. The lines of nginx's log are printed without time and process.
const NGINX: &str = "import os, socket, sys
folder, address = sys.argv[1:]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
keeper = socket.socket(family)
keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
keeper.bind((address, 0))
os.set_inheritable(keeper.fileno(), True)
port = keeper.getsockname()[1]
where = f'[{address}]:{port}' if ':' in address else f'{address}:{port}'
with open(f'{folder}/nginx.conf', 'w') as file:
    file.write(open(f'{folder}/template').read().replace('WHERE', where))
print('port', port)
log, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    for line in open(log):
        print(line.split(': ', 1)[-1], end='')
    sys.exit()
os.dup2(write, 2)
os.environ['PATH'] += ':/usr/sbin'
os.execvp('nginx', ['nginx', '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'])";

/// Binds to a port and never listens there.
const BOUND: &str = "import signal, socket
bound = socket.socket()
bound.bind(('127.0.0.1', 0))
print('port', bound.getsockname()[1])
signal.pause()";

const CONFIGURATION: &str = "daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    types { text/html html; text/plain txt; }
    server {
        listen WHERE reuseport TLS;
        root pages;
        add_header X-Request '$request';
        add_header X-Host '$http_host';
    }
}
";

/// An nginx with two pages, on a port of its own. Dropping it kills the process.
struct Nginx {
    scheme: &'static str,
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    fn on(address: &str) -> Nginx {
        Nginx::speaking("http", "", address)
    }

    /// Serves https with this certificate.
    fn with_tls(address: &str, identity: &Identity) -> Nginx {
        let (certificate, key) = (&identity.certificate_file, &identity.key_file);
        let tls = format!("ssl; ssl_certificate {certificate}; ssl_certificate_key {key}");
        Nginx::speaking("https", &tls, address)
    }

    fn speaking(scheme: &'static str, tls: &str, address: &str) -> Nginx {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("pages");
        fs::create_dir_all(pages.join("path")).unwrap();
        fs::write(pages.join("index.html"), "<p>first page</p>\n").unwrap();
        fs::write(pages.join("path/notes.txt"), "some notes\n").unwrap();
        let configuration = CONFIGURATION.replace("TLS", tls);
        fs::write(folder.path().join("template"), configuration).unwrap();
        let mut process = python(NGINX, &[folder.path().to_str().unwrap(), address]);
        let port = process.wait_for("port ").parse().unwrap();
        // The first line that nginx logs once it listens.
        process.wait_for("using the ");
        Nginx {
            scheme,
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// Returns the header lines of the answer for this URL, on `host` and the server's
    /// port.
    fn headers(&self, form: &str, host: &str, path: &str) -> Headers {
        self.headers_with(&[], form, host, path)
    }

    fn headers_with(&self, flags: &[&str], form: &str, host: &str, path: &str) -> Headers {
        let url = format!("{}://{host}:{}{path}", self.scheme, self.port);
        let allow = format!("tcp://{host}:{}", self.port);
        let flags = [&["--allow-connect", &allow], flags].concat();
        Headers::new(&run(&flags, form, &[&url]).success())
    }
}

/// Returns the printed header lines without the prefix of each.
#[derive(Debug, PartialEq)]
struct Headers(Vec<String>);

impl Headers {
    fn new(printed: &str) -> Headers {
        let lines = printed.lines().map(|line| {
            let header = line.strip_prefix("HTTP header> ");
            header.unwrap_or_else(|| panic!("{printed}")).to_owned()
        });
        Headers(lines.collect())
    }

    fn status(&self) -> &str {
        &self.0[0]
    }

    /// Returns the value of the one header with this name.
    fn value(&self, name: &str) -> &str {
        let values = self.0.iter().filter_map(|line| line.split_once(": "));
        let values: Vec<&str> = values
            .filter(|(header, _)| *header == name)
            .map(|(_, value)| value)
            .collect();
        let [value] = values[..] else {
            panic!("{name}: {self:?}");
        };
        value
    }

    /// Returns the headers that have to be equal in two answers to the same request.
    fn without_date(mut self) -> Headers {
        self.0.retain(|line| !line.starts_with("Date: "));
        self
    }
}

fn fails(form: &str, args: &[&str], message: &str) {
    let ended = run(&["--allow-connect", "tcp://127.0.0.1:*"], form, args).end();
    assert_eq!(ended.code, Some(1), "{form} {args:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{form} {args:?}");
    assert_eq!(ended.stderr, format!("error: {message}\n"), "{form}");
}

#[test]
fn http_headers_prints_status_and_headers_of_nginx() {
    let nginx = Nginx::on("127.0.0.1");
    for form in RUST {
        let headers = nginx.headers(form, "127.0.0.1", "/path/notes.txt");
        assert_eq!(headers.status(), "HTTP/1.1 200 OK", "{form}");
        assert_eq!(headers.value("X-Request"), "HEAD /path/notes.txt HTTP/1.0");
        assert_eq!(headers.value("X-Host"), "127.0.0.1");
        assert!(headers.value("Server").starts_with("nginx"), "{headers:?}");
        assert_eq!(headers.value("Content-Type"), "text/plain");
        assert_eq!(headers.value("Content-Length"), "11");
        assert_eq!(headers.value("Connection"), "close");
    }
}

#[test]
fn http_headers_asks_for_the_root_where_the_url_has_no_path() {
    let nginx = Nginx::on("127.0.0.1");
    for form in RUST {
        for path in ["", "/", "?key=value", "#part"] {
            let headers = nginx.headers(form, "127.0.0.1", path);
            assert_eq!(headers.value("X-Request"), "HEAD / HTTP/1.0", "{form}");
            assert_eq!(headers.value("Content-Type"), "text/html", "{form}");
        }
    }
}

#[test]
fn http_headers_prints_the_status_of_a_page_that_is_missing() {
    let nginx = Nginx::on("127.0.0.1");
    for form in RUST {
        let headers = nginx.headers(form, "127.0.0.1", "/no/such/page.html");
        assert_eq!(headers.status(), "HTTP/1.1 404 Not Found", "{form}");
    }
}

#[test]
fn http_headers_prints_what_cpythons_does_for_nginx() {
    let nginx = Nginx::on("127.0.0.1");
    let path = "/path/notes.txt";
    let url = format!("http://127.0.0.1:{}{path}", nginx.port);
    let theirs = Headers::new(&cpython("http_headers", &[&url]).success()).without_date();
    for form in [STATIC, COMPOSED, PYTHON] {
        let ours = nginx.headers(form, "127.0.0.1", path).without_date();
        assert_eq!(ours, theirs, "{form}");
    }
}

#[test]
fn http_headers_takes_an_ipv6_address_in_brackets() {
    let nginx = Nginx::on("::1");
    for form in RUST {
        let headers = nginx.headers(form, "[::1]", "/");
        assert_eq!(headers.status(), "HTTP/1.1 200 OK", "{form}");
        assert_eq!(headers.value("X-Host"), "[::1]", "{form}");
    }
}

#[test]
fn http_headers_connects_to_port_80_unless_the_url_has_another() {
    for form in RUST {
        for url in ["http://127.0.0.1", "HTTP://user:word@127.0.0.1:/path"] {
            let denied = run(&[], form, &[url]).end();
            assert_eq!(denied.code, Some(1), "{denied:?}");
            let first = denied.stderr.lines().next().unwrap();
            assert!(
                first.starts_with("asyncio-streams: denied: connect to 127.0.0.1:80: "),
                "{form} {url}: {denied:?}"
            );
        }
    }
}

#[test]
fn http_headers_fails_where_the_connect_is_refused() {
    let mut peer = python(BOUND, &[]);
    let port = peer.wait_for("port ");
    let url = format!("http://127.0.0.1:{port}/");
    let message =
        format!("connect to 127.0.0.1:{port}: connection refused: no server listens there");
    fails(STATIC, &[&url], &message);
    let allow = format!("tcp://127.0.0.1:{port}");
    let ended = run(&["--allow-connect", &allow], COMPOSED, &[&url]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("ConnectionRefused"), "{ended:?}");
}

#[test]
fn http_headers_prints_the_headers_of_nginx_over_https() {
    let authority = Authority::new();
    let nginx = Nginx::with_tls("127.0.0.1", &authority.localhost());
    for form in [STATIC, COMPOSED, PYTHON] {
        let headers = nginx.headers_with(
            &[&authority.roots_flag()],
            form,
            "localhost",
            "/path/notes.txt",
        );
        assert_eq!(headers.status(), "HTTP/1.1 200 OK");
        assert_eq!(headers.value("X-Request"), "HEAD /path/notes.txt HTTP/1.0");
    }
}

#[test]
fn http_headers_says_why_it_does_not_trust_a_server() {
    let nginx = Nginx::with_tls("127.0.0.1", &Authority::new().localhost());
    let url = format!("https://localhost:{}/", nginx.port);
    let allow = format!("--allow-connect=tcp://localhost:{}", nginx.port);
    let ended = run(&[&allow], STATIC, &[&url]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let untrusted = "TLS: the peer's certificate is from an authority that is not trusted";
    assert!(ended.stderr.contains(untrusted), "{ended:?}");
}

#[test]
fn http_headers_says_what_is_wrong_with_its_argument() {
    let scheme = "it begins with http:// or https://";
    let host = "the host is missing";
    let port = "the port is a number from 1 to 65535";
    let brackets = "an IPv6 address stands in brackets";
    let ascii = "write spaces and what is not ASCII as %20 and the like";
    for form in RUST {
        for (url, what) in [
            ("", scheme),
            ("127.0.0.1", scheme),
            ("127.0.0.1/path", scheme),
            ("http:/127.0.0.1", scheme),
            ("ftp://127.0.0.1/", scheme),
            ("http://", host),
            ("http:///path", host),
            ("http://user@:80/", host),
            ("http://[]/", host),
            ("http://127.0.0.1:0/", port),
            ("http://127.0.0.1:65536/", port),
            ("http://127.0.0.1:http/", port),
            ("http://127.0.0.1:-1/", port),
            ("http://::1/", brackets),
            ("http://[::1/", brackets),
            ("http://::1]/", brackets),
            ("http://127.0.0.1/a page", ascii),
            ("http://127.0.0.1/\r\nX: y", ascii),
            ("http://127.0.0.1/sm\u{f8}rrebr\u{f8}d", ascii),
        ] {
            fails(form, &[url], &format!("{url:?} is no URL: {what}"));
        }
    }
}

#[test]
fn http_headers_says_how_to_use_it_without_an_argument() {
    for form in RUST {
        fails(
            form,
            &[],
            "usage: http-headers URL, such as http://example.com/path/page.html",
        );
    }
}

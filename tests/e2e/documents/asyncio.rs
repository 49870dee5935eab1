//! Checks that docs/asyncio.md has a line for each name of asyncio's page, and names
//! nothing that the sources do not have. Its examples in Rust are documentation tests of
//! the crate.

use std::collections::BTreeSet;
use std::fs;

use super::formatted;
use super::page::{Page, code_spans};
use crate::support::{python, workspace};

const PAGE: &str = "docs/asyncio.md";

/// The names of asyncio's page with their parameters, and later additions, by the
/// section that has them.
const NAMES: &[(&str, &str)] = &[
    (
        "## Programs",
        "run create_task wait_for sleep get_running_loop call_soon",
    ),
    (
        "## open_connection",
        "open_connection host port loop limit ssl family proto flags sock local_addr
         server_hostname ssl_handshake_timeout
         happy_eyeballs_delay interleave ssl_shutdown_timeout all_errors",
    ),
    (
        "## start_server",
        "start_server client_connected_cb host port loop limit family flags sock backlog ssl
         reuse_address reuse_port ssl_handshake_timeout start_serving
         keep_alive ssl_shutdown_timeout",
    ),
    (
        "## Unix sockets",
        "open_unix_connection path loop limit ssl sock server_hostname ssl_handshake_timeout
         start_unix_server client_connected_cb backlog start_serving
         cleanup_socket",
    ),
    (
        "## Sockets",
        "socketpair send recv getsockname getpeername close open_connection start_server sock",
    ),
    (
        "## Standard streams",
        "connect_read_pipe stdin connect_write_pipe stdout",
    ),
    (
        "## StreamReader",
        "StreamReader read n readline readexactly readuntil separator at_eof feed_eof
         async for line in reader",
    ),
    (
        "## StreamWriter",
        "StreamWriter can_write_eof write_eof transport get_extra_info name default write data
         writelines drain close is_closing wait_closed
         start_tls sslcontext server_hostname ssl_handshake_timeout ssl_shutdown_timeout
         abort set_write_buffer_limits high low get_write_buffer_limits get_write_buffer_size
         pause_reading resume_reading is_reading",
    ),
    (
        "## Server",
        "sockets getsockname is_serving start_serving serve_forever close wait_closed get_loop
         async with server close_clients abort_clients",
    ),
    (
        "## TLS",
        "create_default_context load_cert_chain load_verify_locations verify_mode check_hostname
         set_alpn_protocols minimum_version ssl_object cipher version selected_alpn_protocol
         server_hostname getpeercert compression peercert sslcontext",
    ),
    (
        "## Exceptions",
        "IncompleteReadError partial expected LimitOverrunError consumed CancelledError
         TimeoutError
         SSLError SSLCertVerificationError SSLEOFError",
    ),
];

/// The types and resources whose every function has to be named.
const TYPES: &[&str] = &[
    "StreamReader",
    "Limited",
    "StreamWriter",
    "Transport",
    "Server",
    "Socket",
    "ConnectOptions",
    "ServerOptions",
    "SslContext",
    "SslObject",
];
const RESOURCES: &[&str] = &[
    "adopt",
    "canceller",
    "connect-options",
    "outbox",
    "server",
    "server-options",
    "socket",
    "sockets",
    "ssl-context",
    "stream-reader",
    "stream-writer",
    "streams",
    "tcp-options",
];

#[test]
fn every_name_of_asyncios_page_has_a_line() {
    let page = Page::read(PAGE);
    for (section, names) in NAMES {
        let rows = page.rows(section);
        let known: BTreeSet<&str> = rows
            .iter()
            .flat_map(|row| code_spans(&row[0]))
            .flat_map(|span| span.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
            .collect();
        for name in names.split_whitespace() {
            assert!(known.contains(name), "{section} has no line for {name}");
        }
        for row in &rows {
            assert_eq!(row.len(), 4, "{section}: {row:?}");
        }
    }
}

/// A type or interface, and one of its members.
type Name = (String, String);

fn name(of: &str, member: &str) -> Name {
    (of.to_owned(), member.to_owned())
}

#[test]
fn every_rust_name_in_the_tables_exists_and_every_method_is_in_them() {
    let source = sources("src", "rs");
    let known = members(&source);
    let mut named = BTreeSet::new();
    for span in column(1) {
        let span = span.replace("writer.transport().", "Transport::");
        let path = span.split(['(', '!']).next().unwrap();
        let (of, member) = match path.split_once("::").or_else(|| path.split_once('.')) {
            Some(("reader", member)) => ("StreamReader", member),
            Some(("writer", member)) => ("StreamWriter", member),
            Some(("server", member)) => ("Server", member),
            Some((module, function)) if module.starts_with(char::is_lowercase) => {
                let exists = declares(&source, "pub mod ", module);
                assert!(
                    exists && declares(&source, "pub fn ", function),
                    "{PAGE} names {path}, which is not there"
                );
                continue;
            }
            Some(path) => path,
            None => {
                let starts = ["fn ", "struct ", "enum ", "macro_rules! "];
                let declared = starts.iter().any(|start| declares(&source, start, path));
                // This finds parameters and fields.
                let exists = declared || source.contains(&format!(" {path}: "));
                assert!(exists, "{PAGE} names {path}, which is not there");
                continue;
            }
        };
        named.insert(name(of, member));
    }
    let missing: Vec<_> = named.difference(&known).collect();
    assert!(missing.is_empty(), "{PAGE} names {missing:?}");
    for (of, member) in &known {
        let wanted = TYPES.contains(&of.as_str()) && member != "new";
        assert!(
            !wanted || named.contains(&name(of, member)),
            "{PAGE} does not name {of}::{member}: give it a line"
        );
    }
}

fn declares(source: &str, start: &str, path: &str) -> bool {
    let mut found = source.split(start).skip(1);
    found.any(|declared| identifier(declared) == path)
}

/// Returns the public methods of types, and the variants of enumerations.
fn members(source: &str) -> BTreeSet<Name> {
    let mut members = BTreeSet::new();
    let mut within = "";
    for line in source.lines() {
        if let Some(inner) = line.strip_prefix("    ") {
            let function = ["pub fn ", "pub async fn "]
                .iter()
                .find_map(|start| inner.strip_prefix(start));
            let variant = inner.starts_with(|letter: char| letter.is_ascii_uppercase());
            if let Some(member) = function.or(variant.then_some(inner)) {
                members.insert(name(within, identifier(member)));
            }
        } else if let Some(of) = line
            .strip_prefix("impl ")
            .or_else(|| line.strip_prefix("impl<T> "))
            .or_else(|| line.strip_prefix("pub enum "))
        {
            let of_a_trait = line.contains(" for ");
            within = if of_a_trait { "" } else { identifier(of) };
        } else if line == "}" {
            within = "";
        }
    }
    members
}

fn identifier(code: &str) -> &str {
    let end = code.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    code.split_at(end.unwrap_or(code.len())).0
}

#[test]
fn every_wit_name_in_the_tables_exists_and_every_function_is_in_them() {
    let source = sources("wit", "wit");
    let (known, functions) = wit_members(&source);
    let mut named = BTreeSet::new();
    for span in column(2) {
        match span.split_once('.') {
            // Interfaces of WASI are not in these sources.
            _ if span.starts_with("wasi:") => {}
            Some((of, member)) => {
                named.insert(name(of, member));
            }
            None => {
                let exists = [format!(" {span} {{"), format!("{span}: ")]
                    .iter()
                    .any(|form| source.contains(form));
                assert!(exists, "{PAGE} names {span}, which is not there");
            }
        }
    }
    let missing: Vec<_> = named.difference(&known).collect();
    assert!(missing.is_empty(), "{PAGE} names {missing:?}");
    for function in &functions {
        let wanted = RESOURCES.contains(&function.0.as_str());
        assert!(
            !wanted || named.contains(function),
            "{PAGE} does not name {function:?}: give it a line"
        );
    }
}

/// Returns the members of interfaces, resources and types, and those that are functions.
fn wit_members(source: &str) -> (BTreeSet<Name>, BTreeSet<Name>) {
    let (mut members, mut functions) = (BTreeSet::new(), BTreeSet::new());
    let mut within: Vec<&str> = Vec::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("//") {
            continue;
        }
        let of = within.last().copied().unwrap_or_default();
        let member = line.split([':', '(', ',']).next().unwrap();
        members.insert(name(of, member));
        if line.contains(" func(") {
            functions.insert(name(of, member));
        }
        if line.ends_with('{') {
            within.push(line.split(' ').nth(1).unwrap_or_default());
        } else if line.starts_with('}') {
            within.pop();
        }
    }
    (members, functions)
}

/// Returns the code in one column of the tables with four columns.
fn column(number: usize) -> BTreeSet<String> {
    let page = Page::read(PAGE);
    let rows = page.headings().into_iter().flat_map(|at| page.rows(at));
    rows.filter(|row| row.len() == 4)
        .flat_map(|row| {
            let spans = code_spans(&row[number]).into_iter().map(str::to_owned);
            spans.collect::<Vec<_>>()
        })
        .collect()
}

/// Returns all files of a folder with this ending as one text, without those of `deps`.
pub(crate) fn sources(folder: &str, ending: &str) -> String {
    let mut text = String::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("deps") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn the_rust_on_asyncios_page_is_formatted() {
    for code in Page::read(PAGE).texts("rust,no_run") {
        formatted(code, PAGE);
    }
}

#[test]
fn the_python_on_asyncios_page_is_python() {
    let page = Page::read(PAGE);
    let rust = page.texts("rust,no_run").len();
    let blocks = page.texts("python");
    assert!(blocks.len() > 5, "{}", blocks.len());
    assert!(blocks.len() <= rust, "Python without its Rust");
    for code in blocks {
        python(
            "import ast, sys
compile(sys.argv[1], 'page', 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)",
            &[code],
        )
        .success();
    }
}

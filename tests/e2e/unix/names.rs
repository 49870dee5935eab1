//! Checks which paths are valid, and what is known of both ends.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

use super::{FORMS, Folder, ask, client, connecting, exchange, fails, listening, serving};
use crate::support::{Process, run};

/// Connects and serves at this path. Both have to fail before anything is tried.
fn is_refused(form: &str, path: &str, message: &str) {
    let grants = ["--allow-connect=unix:///*", "--allow-listen=unix:///*"];
    for what in ["connect", "serve"] {
        fails(&run(&grants, form, &[what, path]).end(), message);
    }
}

#[test]
fn ux1_a_path_is_bytes() {
    let folder = Folder::new();
    let path = folder.0.path().join(OsStr::from_bytes(b"\xff \xc3\xbc*"));
    let place = format!("{}/%FF%20\u{fc}*", folder.0.path().display());
    let rule = format!("{}/%FF%20\u{fc}%2A", folder.0.path().display());
    for form in FORMS {
        let listener = UnixListener::bind(&path).unwrap();
        run(&[&connecting(&rule)], form, &["connect", &place]).success();
        drop(listener);
        let mut server = run(&[&listening(&rule)], form, &["serve", &place]);
        server.wait_for("listening on unix:");
        exchange(&mut client(&path), "hello\n");
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(!path.exists());
    }
}

#[test]
fn ux1_doubled_slashes_and_single_dots_mean_nothing() {
    let folder = Folder::new();
    let (path, winding) = (folder.at("a.sock"), folder.at("././/a.sock"));
    for form in FORMS {
        let mut server = run(
            &[&listening(&path)],
            form,
            &["serve", &format!("/{winding}")],
        );
        server.wait_for("listening on unix:");
        assert!(folder.path("a.sock").exists());
        run(&[&connecting(&path)], form, &["connect", &winding]).success();
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(!folder.path("a.sock").exists());
    }
}

#[test]
fn ux2_an_abstract_name_has_no_file() {
    let name = format!("asyncio-streams-names-{}", std::process::id());
    let place = format!("%00{name}");
    for form in FORMS {
        let grant = format!("--allow-listen=unix://@{name}");
        let mut server = run(&[&grant], form, &["serve", &place]);
        server.wait_for(&format!("listening on unix:@{name}"));
        let grant = format!("--allow-connect=unix://@{name}");
        let printed = run(&[&grant], form, &["connect", &place]).success();
        assert!(
            printed.contains(&format!("peername unix:@{name}\n")),
            "{printed}"
        );
        assert_eq!(in_use(form, &name, &place), Some(1));
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
}

/// Returns the exit code of another server of this name.
fn in_use(form: &str, name: &str, place: &str) -> Option<i32> {
    let grant = format!("--allow-listen=unix://@{name}");
    let ended = run(&[&grant], form, &["serve", place]).end();
    assert_eq!(
        ended.stderr,
        format!("error: listen on unix:@{name}: address already in use\n")
    );
    ended.code
}

#[test]
fn ux6_an_empty_path_is_refused() {
    for form in FORMS {
        is_refused(form, "", "the path is empty");
        is_refused(form, "%00", "the abstract name is empty");
    }
}

#[test]
fn ux8_a_path_that_is_too_long_is_refused_and_one_byte_less_is_fine() {
    let folder = Folder::new();
    let start = folder.at("");
    let longest = format!("{start}{}", "x".repeat(107 - start.len()));
    for form in FORMS {
        let server = serving(form, &longest, &[]);
        exchange(&mut client(&longest), "hello\n");
        run(&[&connecting(&longest)], form, &["connect", &longest]).success();
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        let longer = format!("{longest}x");
        let (connect, serve) = (connecting(&longer), listening(&longer));
        for what in ["connect", "serve"] {
            let ended = run(&[&connect, &serve], form, &[what, &longer]).end();
            fails(
                &ended,
                "the Unix socket's address: it has 108 bytes, and 107 is the limit",
            );
        }
    }
}

#[test]
fn a_path_that_is_relative_or_has_a_zero_byte_is_refused() {
    for form in FORMS {
        for (path, why) in [
            (
                "a.sock",
                "it is not absolute, and a component has no current folder",
            ),
            (
                "../a.sock",
                "it is not absolute, and a component has no current folder",
            ),
            ("/a%00b", "it contains a zero byte"),
            ("/a/", "it names a folder"),
        ] {
            is_refused(form, path, &format!("the Unix socket's address: {why}"));
        }
    }
}

#[test]
fn ux10_the_names_of_both_ends_are_the_path_and_none() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let listener = UnixListener::bind(&path).unwrap();
    for form in FORMS {
        let printed = run(&[&connecting(&path)], form, &["connect", &path]).success();
        let own = std::process::id();
        let ids = ids();
        assert_eq!(
            printed,
            format!("connected\npeername unix:{path}\nsockname unix:\npeercred {own} {ids}\n")
        );
        listener.accept().unwrap();
    }
}

/// Returns the user and the group of this process.
fn ids() -> String {
    let of = |flag| {
        let mut command = std::process::Command::new("id");
        command.arg(flag);
        Process::start(command).success().trim().to_owned()
    };
    format!("{} {}", of("-u"), of("-g"))
}

#[test]
fn a_server_is_told_who_its_clients_are() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let server = serving(form, &path, &[]);
        let told = ask(&mut client(&path), "peer\n");
        assert_eq!(told, format!("{} {}\n", std::process::id(), ids()));
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn ux7_ux9_options_that_mean_nothing_with_a_path_are_refused_and_tls_needs_a_name() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let client = "family, proto, flags, local address and happy eyeballs are for hosts and ports; \
                  leave them out to connect to a Unix socket";
    let server = "family, flags, reuse-address and reuse-port are for hosts and ports; leave them \
                  out to listen on a Unix socket";
    for form in FORMS {
        let (connect, serve) = (connecting(&path), listening(&folder.at("*")));
        let printed = run(&[&connect, &serve], form, &["refused", &path]).success();
        let lines: Vec<&str> = printed.lines().collect();
        let [
            limit,
            family,
            local,
            name,
            tls,
            their_limit,
            hosts,
            port,
            identity,
        ] = lines[..]
        else {
            panic!("{printed}");
        };
        assert!(
            limit.contains("limit") && their_limit.contains("limit"),
            "{printed}"
        );
        assert_eq!([family, local], [client; 2]);
        assert!(name.contains("server-hostname"), "{name}");
        assert!(tls.contains("server-hostname"), "{tls}");
        assert_eq!([hosts, port], [server; 2]);
        assert!(identity.contains("identity"), "{identity}");
    }
}

#[test]
fn a_pair_needs_no_rule_and_its_ends_are_adopted_with_their_data() {
    for form in FORMS {
        assert_eq!(
            run(&[], form, &["pair", "-"]).success(),
            "nothing: None\n\
             sent: 3\n\
             received: Some([97, 98])\n\
             left: b\"c\"\n\
             all of it: true\n\
             b\"half-closed\"\n\
             the end: Some([])\n\
             Err(ConnectionBroken)\n\
             the socket has to be bound, and must not listen yet\n"
        );
    }
}

//! Checks files that are at the path already, and what happens to the server's own file.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::{FORMS, Folder, client, connecting, exchange, fails, left_behind, listening, serving};
use crate::support::{Ended, Process, component, run};

fn serve(form: &str, path: &str) -> Ended {
    run(&[&listening(path)], form, &["serve", path]).end()
}

fn connect(form: &str, path: &str) -> Ended {
    run(&[&connecting(path)], form, &["connect", path]).end()
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[test]
fn ux4_another_file_that_is_there_is_an_error_and_stays() {
    let folder = Folder::new();
    let path = folder.at("notes");
    fs::write(&path, "of value").unwrap();
    let message = "the file at that path is not a socket";
    for form in FORMS {
        fails(
            &serve(form, &path),
            &format!("listen on unix:{path}: {message}"),
        );
        fails(
            &connect(form, &path),
            &format!("connect to unix:{path}: {message}"),
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "of value");
    }
    let path = folder.at("folder");
    fs::create_dir(&path).unwrap();
    for form in FORMS {
        fails(
            &serve(form, &path),
            &format!("listen on unix:{path}: {message}"),
        );
        assert!(folder.path("folder").is_dir());
    }
}

#[test]
fn ux3_a_live_servers_socket_is_left_alone_and_so_are_its_connections() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let first = serving(form, &path, &[]);
        let mut old = client(&path);
        exchange(&mut old, "before\n");
        fails(
            &serve(form, &path),
            &format!("listen on unix:{path}: address already in use"),
        );
        exchange(&mut old, "after\n");
        exchange(&mut client(&path), "another\n");
        // The first server does not report the probe as a failure.
        first.signal("TERM");
        let ended = first.end();
        assert_eq!(ended.stderr, format!("listening on unix:{path}\n"));
    }
}

#[test]
fn ux3_the_socket_of_a_server_that_was_killed_is_replaced() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let killed = serving(form, &path, &[]);
        killed.signal("KILL");
        assert_eq!(killed.end().code, None);
        assert!(is_socket(&folder.path("a.sock")));
        let refused = connect(form, &path);
        fails(
            &refused,
            &format!("connect to unix:{path}: connection refused: no server listens there"),
        );
        let next = serving(form, &path, &[]);
        exchange(&mut client(&path), "hello\n");
        next.signal("TERM");
        assert_eq!(next.end().code, Some(0));
        assert!(!folder.path("a.sock").exists());
    }
}

#[test]
fn ux3_a_server_that_does_not_serve_yet_has_its_path_already() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let flags = [listening(&path), connecting(&path)];
        let flags = flags.each_ref().map(String::as_str);
        let printed = run(&flags, form, &["twice", &path]).success();
        assert_eq!(
            printed,
            format!(
                "listen on unix:{path}: address already in use\n\
                 connect to unix:{path}: connection refused: no server listens there\n\
                 answer to one\n"
            )
        );
    }
}

#[test]
fn ux8_missing_sockets_and_folders_are_errors_that_say_so() {
    let folder = Folder::new();
    let missing = "no such file or directory";
    fs::write(folder.path("notes"), "").unwrap();
    for form in FORMS {
        for name in ["nothing", "no-folder/a.sock", "notes/a.sock"] {
            let path = folder.at(name);
            fails(
                &connect(form, &path),
                &format!("connect to unix:{path}: {missing}"),
            );
            if name != "nothing" {
                fails(
                    &serve(form, &path),
                    &format!("listen on unix:{path}: {missing}"),
                );
            }
        }
    }
}

/// Returns the mode of the file that a server makes under this umask, with this in its
/// rule.
fn mode(form: &str, path: &str, umask: &str, setting: &str) -> u32 {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
        .args([env!("CARGO_BIN_EXE_asyncio-streams"), "run"])
        .arg(format!("{}{setting}", listening(path)))
        .arg(component(form))
        .args(["serve", path]);
    let mut server = Process::start(command);
    server.wait_for("listening on unix:");
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
    mode
}

#[test]
fn the_rule_sets_the_mode_of_the_file_under_every_umask() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        for umask in ["077", "022", "000"] {
            assert_eq!(mode(form, &path, umask, ""), 0o600);
            assert_eq!(mode(form, &path, umask, "?mode=0666"), 0o666);
            assert_eq!(mode(form, &path, umask, "?mode=0660"), 0o660);
        }
    }
}

#[test]
fn l35_the_file_is_removed_when_the_server_is_stopped() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        for signal in ["TERM", "INT"] {
            let server = serving(form, &path, &[]);
            let mut idle = client(&path);
            exchange(&mut idle, "hello\n");
            server.signal(signal);
            assert_eq!(idle.read(&mut [0]).unwrap(), 0);
            let ended = server.end();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(!folder.path("a.sock").exists());
        }
    }
}

#[test]
fn l35_the_file_is_removed_when_the_program_traps() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let server = serving(form, &path, &[]);
        client(&path).write_all(b"panic\n").unwrap();
        assert_eq!(server.end().code, Some(134));
        assert!(!folder.path("a.sock").exists());
    }
}

#[test]
fn l35_the_file_stays_if_the_server_wants_it_to() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let server = serving(form, &path, &["keep"]);
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(is_socket(&folder.path("a.sock")));
    }
}

#[test]
fn l35_a_file_that_replaced_the_servers_stays() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        // The socket of another server takes its place.
        let server = serving(form, &path, &[]);
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(is_socket(&folder.path("a.sock")));
        fs::remove_file(&path).unwrap();

        // A regular file takes its place.
        let server = serving(form, &path, &[]);
        fs::rename(&path, folder.path("moved")).unwrap();
        fs::write(&path, "of value").unwrap();
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert_eq!(fs::read_to_string(&path).unwrap(), "of value");
        assert!(
            is_socket(&folder.path("moved")),
            "where it is now, nobody looks"
        );
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn nothing_is_removed_where_a_server_could_not_start() {
    let folder = Folder::new();
    let (live, left) = (folder.at("live"), folder.at("left"));
    let _listener = UnixListener::bind(&live).unwrap();
    left_behind(Path::new(&left));
    let others = ["live", "left"].map(|name| folder.path(name));
    for form in FORMS {
        // The first path is in use, the second one is not granted.
        assert_eq!(serve(form, &live).code, Some(1));
        let denied = run(&[&listening(&live)], form, &["serve", &left]).end();
        assert_eq!(denied.code, Some(1));
        assert!(others.iter().all(|path| is_socket(path)));
    }
}

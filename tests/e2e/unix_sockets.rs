//! Checks that Unix sockets are what `asyncio:host/unix-sockets` documents, and that
//! files of others stay as they are.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use crate::sockets::all_passed;
use crate::support::{Process, run};
use crate::tls_raw::peer::Localhost;

/// Makes a folder with the files that the checks expect. The test listens at `live.sock`,
/// accepts every client and keeps the connection.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("file.sock"), "precious").unwrap();
    symlink("live.sock", at("link.sock")).unwrap();
    drop(UnixListener::bind(at("left.sock")).unwrap());
    let live = UnixListener::bind(at("live.sock")).unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = live.accept() {
            kept.push(connection);
        }
    });
    folder
}

fn start(part: &str, folder: &Path, flags: &[&str]) -> Process {
    let folder = folder.to_str().unwrap();
    let rules = [
        format!("--allow-listen=unix://{folder}/*.sock?mode=0640"),
        format!("--allow-listen=unix://{folder}/nowhere/*"),
        format!("--allow-listen=unix://@{folder}"),
        format!("--allow-connect=unix://{folder}/*.sock"),
        format!("--allow-connect=unix://{folder}/nowhere/*"),
        format!("--allow-connect=unix://@{folder}"),
    ];
    let flags: Vec<&str> = (rules.iter().map(String::as_str))
        .chain(flags.iter().copied())
        .collect();
    run(&flags, "unix-sockets", &[part, folder])
}

fn passes(part: &str, folder: &Path, flags: &[&str]) {
    let output = start(part, folder, flags).success();
    all_passed(&format!("unix_sockets/{part}"), &output);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn addresses_are_as_documented_and_files_of_others_stay() {
    let folder = folder();
    let ended = start("addresses", folder.path(), &[]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    all_passed("unix_sockets/addresses", &ended.stdout);
    assert_eq!(
        names(folder.path()),
        ["file.sock", "folder", "link.sock", "live.sock"]
    );
    assert_eq!(
        fs::read(folder.path().join("file.sock")).unwrap(),
        b"precious"
    );
    // Each denial names what would allow it.
    let at = |name: &str| format!("unix://{}/{name}", folder.path().display());
    for remedy in [
        format!("allow it with --allow-listen {}", at("other")),
        format!("allow it with --allow-connect {}", at("folder/a.sock")),
        "allow it with --allow-listen 'unix://@somebody%27s'".to_owned(),
        "; use the path without `..`".to_owned(),
        format!("; use the path that it leads to, {}", at("live.sock")),
    ] {
        assert!(ended.stderr.contains(&remedy), "{remedy}: {}", ended.stderr);
    }
}

#[test]
fn listening_is_as_documented_and_removes_its_files() {
    let folder = folder();
    let before = names(folder.path());
    passes("listening", folder.path(), &[]);
    let kept = folder.path().join("kept.sock");
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    fs::remove_file(kept).unwrap();
    assert_eq!(names(folder.path()), before);
}

#[test]
fn states_are_as_documented_and_each_socket_counts() {
    let folder = folder();
    passes("states", folder.path(), &["--max-sockets=6"]);
}

#[test]
fn sending_and_receiving_is_as_documented() {
    let folder = folder();
    passes("streams", folder.path(), &[]);
}

#[test]
fn sessions_are_had_over_unix_sockets() {
    let folder = folder();
    let localhost = Localhost::new();
    let flags = [localhost.identity_flag(), localhost.roots_flag()];
    let flags = flags.each_ref().map(String::as_str);
    passes("sessions", folder.path(), &flags);
}

//! Checks that the kernel's permissions hold even where a rule allows the request.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::{FORMS, Folder, connecting, listening};
use crate::support::{Ended, Process, component};

/// A user without rights of its own. Root may run the tests, and has all rights.
const NOBODY: &str = "65534";

fn is_root() -> bool {
    Process::start(id()).success() == "0\n"
}

fn id() -> Command {
    let mut command = Command::new("id");
    command.arg("-u");
    command
}

/// Runs the command as a user who has no rights beyond those in the modes of files.
fn unprivileged(program: &str) -> Command {
    let mut command = match is_root() {
        true => Command::new("setpriv"),
        false => return Command::new(program),
    };
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    command.args(user).args(["--clear-groups", program]);
    command
}

/// Returns whether such a user can run the command, which may lie in a private home
/// folder.
fn can_be_checked() -> bool {
    let mut command = unprivileged("test");
    command.args(["-x", env!("CARGO_BIN_EXE_asyncio-streams")]);
    let can = Process::start(command).end().code == Some(0);
    if !can {
        eprintln!("not checked: another user has no access to what was built");
    }
    can
}

fn run(flag: &str, form: &str, args: &[&str]) -> Process {
    let mut command = unprivileged(env!("CARGO_BIN_EXE_asyncio-streams"));
    command
        .args(["run", "--no-cache", flag])
        .arg(component(form))
        .args(args);
    Process::start(command)
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Checks that the kernel did not permit it. Returns what the host says that the user needs.
fn denied(ended: &Ended, what: &str, path: &str) -> String {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = format!(
        "asyncio-streams: denied: {what} unix://{path}: the operating system does not permit it; \
         the user that runs this command needs "
    );
    let (_, rest) = ended.stderr.split_once(&line).expect(&ended.stderr);
    rest.lines().next().unwrap().to_owned()
}

#[test]
fn a_socket_that_may_not_be_written_to_is_denied_until_it_may() {
    if !can_be_checked() {
        return;
    }
    let folder = Folder::new();
    let path = folder.at("a.sock");
    let listener = UnixListener::bind(&path).unwrap();
    for form in FORMS {
        for (folders, sockets) in [(0o711, 0o600), (0o600, 0o666)] {
            set_mode(folder.0.path(), folders);
            // The test's own user may own both.
            let sockets = if is_root() { sockets } else { 0 };
            fs::metadata(&path)
                .is_ok()
                .then(|| set_mode(&path, sockets));
            let ended = run(&connecting(&path), form, &["connect", &path]).end();
            let remedy = denied(&ended, "connect to", &path);
            assert_eq!(
                remedy,
                format!("write permission for unix://{path}, and search permission for its folder")
            );
            set_mode(folder.0.path(), 0o711);
            set_mode(&path, 0o666);
            run(&connecting(&path), form, &["connect", &path]).success();
            listener.accept().unwrap();
        }
    }
}

#[test]
fn a_folder_that_may_not_be_written_to_is_denied_until_it_may() {
    if !can_be_checked() {
        return;
    }
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        set_mode(folder.0.path(), 0o555);
        let ended = run(&listening(&path), form, &["serve", &path]).end();
        let remedy = denied(&ended, "listen on", &path);
        assert_eq!(
            remedy,
            format!("write permission for the folder of unix://{path}")
        );
        set_mode(folder.0.path(), 0o777);
        let mut server = run(&listening(&path), form, &["serve", &path]);
        server.wait_for("listening on unix:");
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
        assert!(!folder.path("a.sock").exists());
    }
}

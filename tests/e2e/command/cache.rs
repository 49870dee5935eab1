//! Checks that compiled programs are kept for the next run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::slice;

use asyncio_streams_host::Cache;
use tempfile::TempDir;

use super::command;
use crate::support::{CACHE, Ended, Process, component, workspace};

/// The application is composed, so the cache keeps more than one compiled component.
const PROGRAM: &str = "tcp-echo-server-wit";

/// The command's own lines when the program is denied everything, without those of the
/// program.
const DENIED: &str = "denied: bind to 127.0.0.1:0";

fn start(folder: &Path) -> Process {
    let mut command = command(&["run", "--cache"]);
    command
        .env("ASYNCIO_STREAMS_LOG", "asyncio_streams_host=debug")
        .arg(folder)
        .arg(component(PROGRAM))
        .args(["127.0.0.1", "0"]);
    Process::start(command)
}

/// Returns whether this run has compiled the program. Its output has to be the same in
/// both cases.
fn compiled(ended: &Ended) -> bool {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(DENIED), "{ended:?}");
    let [compiled, taken] =
        ["host::compile: compiled", "taken from the cache"].map(|line| ended.stderr.contains(line));
    assert_ne!(compiled, taken, "{ended:?}");
    compiled
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Makes a folder in which a program is kept, and returns it with the file.
fn kept() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    assert!(compiled(&start(folder.path()).end()));
    let [file] = &files(folder.path())[..] else {
        panic!("{:?}", files(folder.path()));
    };
    let file = file.clone();
    (folder, file)
}

#[test]
fn the_second_run_of_a_program_does_not_compile() {
    let (folder, file) = kept();
    let identity = |file: &Path| {
        let metadata = fs::metadata(file).unwrap();
        (metadata.ino(), metadata.modified().unwrap())
    };
    let before = identity(&file);
    assert!(!compiled(&start(folder.path()).end()));
    assert_eq!(files(folder.path()), slice::from_ref(&file));
    assert_eq!(identity(&file), before);
}

#[test]
fn a_damaged_file_is_replaced_without_a_word() {
    let (folder, file) = kept();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 0x10;
    for damaged in [
        &b""[..],
        b"print('hello')",
        &whole[..whole.len() / 2],
        &flipped,
    ] {
        fs::write(&file, damaged).unwrap();
        let mut again = command(&["run", "--cache"]);
        again
            .arg(folder.path())
            .arg(component(PROGRAM))
            .args(["127.0.0.1", "0"]);
        let ended = Process::start(again).end();
        let ours = ended.stderr.lines().filter(|line| !line.contains(DENIED));
        let theirs = "error: ";
        assert!(
            ours.clone().all(|line| line.starts_with(theirs)),
            "{ended:?}"
        );
        assert!(fs::read(&file).unwrap() == whole);
    }
    assert!(!compiled(&start(folder.path()).end()));
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let first: Vec<Process> = (0..4).map(|_| start(folder.path())).collect();
    for run in first {
        compiled(&run.end());
    }
    assert_eq!(files(folder.path()).len(), 1);
    assert!(!compiled(&start(folder.path()).end()));
}

/// Runs a program, which has to succeed, with this folder. Returns the only line on
/// standard error.
fn warned(folder: &Path) -> String {
    let mut command = command(&["run", "--cache"]);
    command.arg(folder).arg(component("probe"));
    let ended = Process::start(command).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "probe.wasm\n");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [line] = lines[..] else {
        panic!("{ended:?}");
    };
    let name = folder.display().to_string();
    assert!(
        line.starts_with("asyncio-streams: ") && line.contains(&name),
        "{line}"
    );
    assert!(line.contains("--no-cache"), "{line}");
    line.to_owned()
}

#[test]
fn a_folder_that_cannot_be_used_is_said_once_and_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(warned(&file.join("cache")).contains("cannot be used"));
    // Even the superuser cannot create a folder there.
    assert!(warned(Path::new("/proc/asyncio-streams")).contains("cannot be used"));
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_and_the_program_runs() {
    let (folder, file) = kept();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    assert!(warned(folder.path()).contains("others may write"));
    assert_eq!(files(folder.path()), slice::from_ref(&file));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
}

#[test]
fn a_folder_of_another_user_is_refused() {
    // Only the superuser can change the owner of a folder.
    let folder = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(folder.path(), Some(65534), None).is_ok() {
        assert!(warned(folder.path()).contains("belongs to another user (uid 65534)"));
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}

/// Runs a program with these options and this environment.
fn probe(options: &[&str], environment: &[(&str, &Path)]) {
    let mut command = command(&["run"]);
    command.env_remove(CACHE).envs(environment.iter().copied());
    command.args(options).arg(component("probe"));
    assert_eq!(Process::start(command).success(), "probe.wasm\n");
}

#[test]
fn the_environment_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let usual = folder.path().join("usual");
    probe(&[], &[("XDG_CACHE_HOME", &usual)]);
    assert_eq!(files(&usual), [usual.join("asyncio-streams")]);
    assert_eq!(files(&usual.join("asyncio-streams")).len(), 1);

    let home = folder.path().join("home");
    probe(&[], &[("XDG_CACHE_HOME", Path::new("")), ("HOME", &home)]);
    assert_eq!(files(&home.join(".cache/asyncio-streams")).len(), 1);

    let named = folder.path().join("named");
    probe(&[], &[("XDG_CACHE_HOME", &usual), (CACHE, &named)]);
    assert_eq!(files(&named).len(), 1);
    assert_eq!(files(&usual.join("asyncio-streams")).len(), 1);
}

#[test]
fn nothing_is_kept_when_nothing_is_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("named");
    let usual = ("XDG_CACHE_HOME", folder.path());
    probe(&["--no-cache"], &[usual]);
    probe(&["--no-cache"], &[usual, (CACHE, &named)]);
    probe(&["--cache", "none"], &[usual]);
    probe(&[], &[usual, (CACHE, Path::new("none"))]);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn the_documented_capacity_is_the_codes() {
    let page = fs::read_to_string(workspace().join("docs/limits.md")).unwrap();
    let mut lines = page.lines();
    let row = lines
        .find(|line| line.starts_with("| compiled programs"))
        .unwrap();
    assert!(
        row.contains(&format!("| {} GiB |", Cache::CAPACITY >> 30)),
        "{row}"
    );
}

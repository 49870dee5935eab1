use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::support::run;

#[test]
fn a_dry_run_allows_everything_and_prints_a_policy_file_that_allows_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let dry = format!("--dry-run={}", file.display());
    for host in ["127.0.0.1", "localhost"] {
        let args = [host, port.as_str()];
        let ended = run(&[&dry], "connect", &args).end();
        assert_eq!(ended.stdout, "connected\n", "{ended:?}");
        assert_eq!(ended.stderr, "", "{ended:?}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(&format!("\"tcp://{host}:{port}\", # ")),
            "{text}"
        );

        let denied = run(&[], "connect", &args).end();
        assert_eq!(denied.code, Some(1), "{denied:?}");
        let policy = ["--policy", file.to_str().unwrap()];
        let allowed = run(&policy, "connect", &args).end();
        assert_eq!(allowed.stdout, "connected\n", "{allowed:?}");
        assert_eq!(allowed.stderr, "", "{allowed:?}");
    }
}

#[test]
fn a_dry_run_without_a_file_prints_to_standard_error_and_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // Opens connections until the limit, which holds.
    let flags = ["--dry-run", "--max-connections", "3"];
    let ended = run(&flags, "connects", &["127.0.0.1", &port]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Three, the one that failed, and the last one.
    let expected = format!(
        "# Found by a dry run: what the program did, and no rule allowed.\nallow-connect = [\n  \
         \"tcp://127.0.0.1:{port}\", # 5\n]\n"
    );
    assert!(ended.stderr.ends_with(&expected), "{ended:?}");
}

#[test]
fn a_dry_run_learns_listeners_and_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let dry = format!("--dry-run={}", file.display());
    let ended = run(&[&dry], "listens", &["127.0.0.1"]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("allow-listen = [\n  \"tcp://127.0.0.1:0\","),
        "{text}"
    );

    let path = folder.path().join("app.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    run(&[&dry], "unix", &["connect", path.to_str().unwrap()]).end();
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&format!("\"unix://{}\", # 1", path.display())),
        "{text}"
    );
}

#[test]
fn a_program_that_needs_nothing_more_learns_that() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rule = format!("tcp://127.0.0.1:{port}");
    let flags = ["--dry-run", "--allow-connect", &rule];
    let ended = run(&flags, "connect", &["127.0.0.1", &port]).end();
    assert!(
        ended
            .stderr
            .ends_with("the policy has all rules that the program needed.\n")
    );
}

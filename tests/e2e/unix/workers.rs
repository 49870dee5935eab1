//! Checks several workers at one path.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{FORMS, Folder, ask, client, exchange, listening, serving_with};
use crate::support::PATIENCE;

/// Returns a client of each worker.
fn one_of_each(path: &str) -> [UnixStream; 2] {
    let deadline = Instant::now() + PATIENCE;
    let mut first = client(path);
    let whose = ask(&mut first, "who\n");
    loop {
        assert!(Instant::now() < deadline, "one worker takes all clients");
        let mut other = client(path);
        if ask(&mut other, "who\n") != whose {
            return [first, other];
        }
    }
}

#[test]
fn workers_share_a_path_whose_file_goes_with_the_last() {
    let folder = Folder::new();
    let path = folder.at("a.sock");
    for form in FORMS {
        let flags = [&listening(&path), "--workers", "2"];
        let server = serving_with(&flags, form, &path, &[]);
        let mut clients = one_of_each(&path);
        for client in &mut clients {
            exchange(client, "hello\n");
        }
        assert!(folder.path("a.sock").exists());
        server.signal("TERM");
        for client in &mut clients {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stderr, format!("listening on unix:{path}\n"));
        assert!(!folder.path("a.sock").exists());
    }
}

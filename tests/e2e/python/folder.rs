//! A folder for the Unix sockets of python/tests/behaviours, and the peer of the checks.

use std::fs;

use tempfile::TempDir;

use super::read;
use crate::support::ports::ReservedPort;
use crate::support::{Process, python};

/// The content of the file that peer.py leaves where a check wants to listen.
const PRECIOUS: &str = "precious";

/// The folder, in which peer.py has made the files that the checks expect.
pub(super) struct Folder {
    folder: TempDir,
    ports: String,
    _free: ReservedPort,
    _peer: Process,
}

impl Folder {
    pub(super) fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = python(
            &read("python/tests/peer.py"),
            &[folder.path().to_str().unwrap()],
        );
        let free = ReservedPort::new();
        let ports = format!("{} {}", peer.wait_for("ports "), free.number());
        Folder {
            folder,
            ports,
            _free: free,
            _peer: peer,
        }
    }

    pub(super) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The first arguments of the checks: the ports of the peer and a free port in one
    /// word, then the folder.
    pub(super) fn arguments(&self) -> [&str; 2] {
        [&self.ports, self.path()]
    }

    /// Returns the flags that grant the checks their sockets.
    pub(super) fn flags(&self) -> Vec<String> {
        let path = self.path();
        let name = self.folder.path().file_name().unwrap().to_str().unwrap();
        let rules = [
            format!("unix://{path}/*"),
            format!("unix://{path}/missing/*"),
            format!("unix://@{name}.*"),
        ];
        let flags = ["--allow-listen", "--allow-connect"];
        flags
            .iter()
            .flat_map(|flag| rules.iter().map(move |rule| format!("{flag}={rule}")))
            .collect()
    }

    /// Checks that the file which is no socket is still there.
    pub(super) fn check(&self) {
        let file = fs::read_to_string(self.folder.path().join("file")).unwrap();
        assert_eq!(file, PRECIOUS);
    }
}
